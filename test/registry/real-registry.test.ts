import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from '../../src/common/process.js';
import { anonymous, targetCredentials } from '../../src/registry/credentials.js';
import { digestOf } from '../../src/registry/digest.js';
import { isBlobUnknown } from '../../src/registry/errors.js';
import { OCI_INDEX } from '../../src/registry/media-types.js';
import { atDigest, parseReference, type Repository } from '../../src/registry/reference.js';
import type { Registry } from '../../src/registry/types.js';
import { DISTRIBUTIONS } from '../support/distributions.js';
import { startRegistry, TEST_LOGIN, type TestRegistry } from '../support/registry-server.js';
import { blobOf, clientFor, documentOf, imageOf, referenceTo } from './kit.js';

const streamOf = (bytes: Buffer | string) => (): Readable =>
  Readable.from([Buffer.from(bytes)], { objectMode: false });

/** `crane`, which is not ours, with no login and no configuration of this machine. */
async function crane(...args: string[]): Promise<string> {
  const env = { PATH: process.env.PATH ?? '', HOME: '/nonexistent', DOCKER_CONFIG: '/nonexistent' };
  const result = await runProgram('crane', args, { env, timeoutMs: 30_000 });
  if (result.code !== 0) throw new Error(result.stderr);
  return result.stdout;
}

/** Pushes a two-platform index and gives its document. */
async function pushIndex(client: Registry, repository: Repository, tag: string) {
  const manifests: object[] = [];
  for (const [architecture, blocks] of [
    ['amd64', 2],
    ['arm64', 4],
  ] as const) {
    const tar = Buffer.alloc(blocks * 512); // an empty archive is at least two blocks of zeros
    const layer = gzipSync(tar);
    const diffId = digestOf(tar);
    const config = JSON.stringify({
      architecture,
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [diffId] },
    });
    const image = imageOf(config, layer);
    await client.ensureBlob(repository, blobOf(config), streamOf(config), {});
    await client.ensureBlob(repository, blobOf(layer), streamOf(layer), {});
    const tagged = referenceTo(`${repository.host}/${repository.path}:${tag}`);
    await client.putManifest(atDigest(tagged, image.descriptor.digest), image);
    manifests.push({ ...image.descriptor, platform: { os: 'linux', architecture } });
  }
  const index = documentOf({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }, OCI_INDEX);
  await client.putManifest(referenceTo(`${repository.host}/${repository.path}:${tag}`), index);
  return index;
}

describe.each(DISTRIBUTIONS)('with a real registry (%s)', (program) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await startRegistry({ program });
  });
  afterAll(() => registry.stop());

  it('an index that we push is read back by crane, byte for byte, and by us', async () => {
    const client = clientFor();
    const repository = parseReference(`${registry.host}/team/tool`);
    const index = await pushIndex(client, repository, '1');
    const name = `${registry.host}/team/tool:1`;
    expect(await crane('manifest', name)).toBe(index.bytes.toString());
    expect((await crane('digest', name)).trim()).toBe(index.descriptor.digest);
    expect(await crane('validate', '--remote', name)).toContain('PASS');
    const fresh = clientFor();
    expect(await fresh.head(referenceTo(name))).toEqual(index.descriptor);
    expect(await fresh.manifest(referenceTo(name))).toEqual(index);
  });

  it('a blob comes back as it went, is present then, and is mounted elsewhere', async () => {
    const bytes = randomBytes(3_000_000);
    const blob = blobOf(bytes);
    const client = clientFor();
    const from = parseReference(`${registry.host}/from`);
    const to = parseReference(`${registry.host}/to`);
    expect(await client.ensureBlob(from, blob, streamOf(bytes), {})).toEqual({ how: 'uploaded' });
    expect(await client.headBlob(from, blob.digest)).toBe(bytes.length);
    expect((await buffer(await client.blob(from, blob))).equals(bytes)).toBe(true);
    expect(await clientFor().ensureBlob(from, blob, streamOf(bytes), {})).toEqual({ how: 'present' });
    expect(await client.ensureBlob(to, blob, streamOf(bytes), { mountFrom: from })).toEqual({
      how: 'mounted',
    });
    expect(await client.headBlob(to, blob.digest)).toBe(bytes.length);
  });

  it('an empty blob can be pushed and read', async () => {
    const client = clientFor();
    const repository = parseReference(`${registry.host}/empty`);
    await client.ensureBlob(repository, blobOf(''), () => Readable.from([], { objectMode: false }), {});
    expect(await buffer(await client.blob(repository, blobOf('')))).toHaveLength(0);
  });

  it('bytes that do not match their digest are refused', async () => {
    const blob = blobOf('what was meant');
    const lying = clientFor().ensureBlob(
      parseReference(`${registry.host}/x`),
      blob,
      streamOf('WHAT WAS MEANT'),
      {},
    );
    await expect(lying).rejects.toMatchObject({ type: 'TransferCorrupt' });
  });

  it('a manifest whose blobs are missing is told apart', async () => {
    const error: unknown = await clientFor()
      .putManifest(referenceTo(`${registry.host}/nothing:1`), imageOf('{"a":1}', 'nowhere'))
      .catch((thrown: unknown) => thrown);
    expect(isBlobUnknown(error)).toBe(true);
  });

  it('what is not there is undefined', async () => {
    const client = clientFor();
    const missing = referenceTo(`${registry.host}/no/such:1`);
    expect(await client.head(missing)).toBeUndefined();
    expect(await client.manifest(missing)).toBeUndefined();
    const repository = parseReference(`${registry.host}/no/such`);
    expect(await client.headBlob(repository, blobOf('none').digest)).toBeUndefined();
  });

  it('a probe for push permission leaves nothing behind', async () => {
    const client = clientFor();
    await client.probePush(parseReference(`${registry.host}/probed`));
    expect(await crane('catalog', registry.host)).not.toContain('probed');
  });
});

describe.each(DISTRIBUTIONS)('with a registry that wants a login (%s)', (program) => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await startRegistry({ program, htpasswd: true });
  });
  afterAll(() => registry.stop());

  it('the target’s login pushes and pulls', async () => {
    const client = clientFor({ credentials: targetCredentials(registry.host, TEST_LOGIN, anonymous) });
    const index = await pushIndex(client, parseReference(`${registry.host}/team/tool`), '1');
    expect(await client.head(referenceTo(`${registry.host}/team/tool:1`))).toEqual(index.descriptor);
  });

  it.each([
    ['no login', undefined],
    ['a wrong password', { ...TEST_LOGIN, password: 'canary' }],
  ])('%s is refused without a secret in the message', async (_, login) => {
    const client = clientFor({ credentials: targetCredentials(registry.host, login, anonymous) });
    const failed = client.head(referenceTo(`${registry.host}/a:1`));
    await expect(failed).rejects.toMatchObject({
      type: 'RegistryUnauthorized',
      message: expect.stringContaining(registry.host),
    });
    await expect(failed).rejects.not.toThrow(/canary/);
    await expect(client.probePush(parseReference(`${registry.host}/a`))).rejects.toMatchObject({
      type: 'RegistryUnauthorized',
    });
  });
});

it.each(DISTRIBUTIONS)('a read-only registry refuses the probe at once (%s)', async (program) => {
  const registry = await startRegistry({ program, readonly: true });
  try {
    await expect(clientFor().probePush(parseReference(`${registry.host}/a`))).rejects.toMatchObject({
      type: 'RegistryRejected',
      retryable: false,
    });
  } finally {
    await registry.stop();
  }
});
