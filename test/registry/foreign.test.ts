import { Readable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DOCKER_MANIFEST } from '../../src/registry/media-types.js';
import { parseReference } from '../../src/registry/reference.js';
import { DISTRIBUTIONS } from '../support/distributions.js';
import { startRegistry } from '../support/registry-server.js';
import { blobOf, clientFor, documentOf, referenceTo } from './kit.js';

const CONFIG = '{"os":"windows","architecture":"amd64"}';
const FOREIGN = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';

/** As Windows images before 2023 are: a base layer that lies at Microsoft's, and none of ours beside it. */
const WINDOWS = documentOf(
  {
    schemaVersion: 2,
    mediaType: DOCKER_MANIFEST,
    config: { ...blobOf(CONFIG), mediaType: 'application/vnd.docker.container.image.v1+json' },
    layers: [
      { ...blobOf('far away'), mediaType: FOREIGN, urls: ['https://mcr.microsoft.com/v2/windows/blobs/x'] },
    ],
  },
  DOCKER_MANIFEST,
);

async function push(program: string, configuration: Record<string, unknown>) {
  const registry = await startRegistry({ program, configuration });
  onTestFinished(() => registry.stop());
  const client = clientFor();
  const open = (): Readable => Readable.from([Buffer.from(CONFIG)], { objectMode: false });
  await client.ensureBlob(parseReference(`${registry.host}/windows`), blobOf(CONFIG), open, {});
  const reference = referenceTo(`${registry.host}/windows:1`);
  return { client, reference, put: client.putManifest(reference, WINDOWS) };
}

describe.each(DISTRIBUTIONS)('foreign layers (%s)', (program) => {
  it('are refused for good by a registry that is not told about their URLs, with the way out', async () => {
    const { put } = await push(program, {});
    await expect(put).rejects.toMatchObject({
      type: 'ForeignLayersRefused',
      retryable: false,
      message: expect.stringMatching(/validation\.manifests\.urls\.allow.*platforms/),
    });
  });

  it('are taken as descriptors by one that is, with nothing behind them', async () => {
    const allow = ['^https://mcr\\.microsoft\\.com/'];
    const { put, client, reference } = await push(program, {
      validation: { manifests: { urls: { allow } } },
    });
    await put;
    expect((await client.manifest(reference))?.bytes.equals(WINDOWS.bytes)).toBe(true);
    expect(await client.headBlob(parseReference(reference), blobOf('far away').digest)).toBeUndefined();
  });
});
