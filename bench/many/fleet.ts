import { Readable } from 'node:stream';
import pLimit from 'p-limit';
import type { Digest } from '../../src/contract/brand.js';
import type { RegistryClient } from '../../src/registry/client.js';
import { digestOf } from '../../src/registry/digest.js';
import { formatReference } from '../../src/registry/reference.js';
import type { RawManifest } from '../../src/registry/types.js';

/** A very small image that a registry has. */
export interface SmallImage {
  name: string;
  digest: Digest;
}

const PUBLISHED_AT_ONCE = 16;

const blob = (mediaType: string, bytes: Buffer) => ({
  descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length },
  bytes,
});

/** Publishes images of one platform, `many/image-0:1` and so on: a layer that they share, and a config of their own. */
export async function publishMany(
  registry: RegistryClient,
  host: string,
  count: number,
): Promise<SmallImage[]> {
  const limit = pLimit(PUBLISHED_AT_ONCE);
  const names = Array.from({ length: count }, (_, n) => `image-${n}`);
  return Promise.all(names.map((name) => limit(() => publish(registry, host, name))));
}

async function publish(registry: RegistryClient, host: string, name: string): Promise<SmallImage> {
  const layer = blob('application/vnd.oci.image.layer.v1.tar', Buffer.alloc(1024));
  const config = blob(
    'application/vnd.oci.image.config.v1+json',
    Buffer.from(
      JSON.stringify({
        os: 'linux',
        architecture: 'amd64',
        config: { Env: [`NAME=${name}`] },
        rootfs: { type: 'layers', diff_ids: [layer.descriptor.digest] },
      }),
    ),
  );
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest: RawManifest = blob(
    mediaType,
    Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType, config: config.descriptor, layers: [layer.descriptor] }),
    ),
  );
  const repository = { host, path: `many/${name}` };
  for (const { descriptor, bytes } of [layer, config])
    await registry.ensureBlob(repository, descriptor, () => Readable.from([bytes]), {});
  await registry.putManifest(formatReference({ ...repository, tag: '1', digest: null }), manifest);
  return { name, digest: manifest.descriptor.digest };
}
