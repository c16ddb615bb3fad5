import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import type { Digest, Reference } from '../../src/contract/brand.js';
import { RegistryClient } from '../../src/registry/client.js';
import { anonymous } from '../../src/registry/credentials.js';
import { digestOf } from '../../src/registry/digest.js';
import { BLOB_TYPE } from '../../src/registry/manifest.js';
import { OCI_INDEX, OCI_MANIFEST } from '../../src/registry/media-types.js';
import { atDigest, parseReference } from '../../src/registry/reference.js';
import { type Blob, blobOf, LINUX_AMD64, LINUX_ARM64, ref, tarOf } from '../../test/support/images.js';

const MIB = 2 ** 20;
/** Of a tar with one file: its header and the end. */
const TAR_BYTES = 2048;

export interface FleetShape {
  images: number;
  platforms: 1 | 2;
  /** Of the layer that all share; none when 0. */
  baseBytes: number;
  /** Of each of a platform's own layers. */
  ownLayers: readonly number[];
}

/** The fleet: 688 MB to move. */
export const FLEET: FleetShape = {
  images: 20,
  platforms: 2,
  baseBytes: 16 * MIB,
  ownLayers: [8 * MIB, 8 * MIB],
};

/** `count` images of one layer of 1.5 GB each. */
export const largeImages = (count: number): FleetShape => ({
  images: count,
  platforms: 1,
  baseBytes: 0,
  ownLayers: [1500 * 1000 * 1000],
});

/**
 * Publishes images of incompressible layers as `fleet/app-NN:1`. Nothing in them can run: what is measured is how bytes
 * move.
 *
 * @param host a registry on the loopback interface.
 * @returns the names, without the host.
 */
export async function publishFleet(host: string, shape: FleetShape): Promise<string[]> {
  const client = new RegistryClient({ credentials: anonymous, insecureHosts: [] });
  const base = shape.baseBytes === 0 ? [] : [layerOf(shape.baseBytes)];
  const names: string[] = [];
  for (let number = 0; number < shape.images; number++) {
    const name = `fleet/app-${String(number).padStart(2, '0')}:1`;
    const reference = ref(`${host}/${name}`);
    const platforms = [];
    for (const platform of [LINUX_AMD64, LINUX_ARM64].slice(0, shape.platforms)) {
      const layers = [...base, ...shape.ownLayers.map(layerOf)];
      const config = blobOf(BLOB_TYPE.ociConfig, {
        ...platform,
        created: `2024-01-02T03:04:${String(number % 60).padStart(2, '0')}Z`,
        config: { Entrypoint: ['/app'], Labels: null },
        rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
      });
      for (const blob of [config, ...layers]) await put(client, reference, blob);
      const manifest = blobOf(OCI_MANIFEST, {
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config: config.descriptor,
        layers: layers.map((layer) => layer.descriptor),
      });
      await client.putManifest(atDigest(reference, manifest.descriptor.digest), manifest);
      platforms.push({ ...manifest.descriptor, platform });
    }
    const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: platforms };
    await client.putManifest(reference, blobOf(OCI_INDEX, index));
    names.push(name);
  }
  await client.close();
  return names;
}

/** A gzip of a tar of random bytes, stored: as large as it says, within a few bytes, and whole to whoever looks inside. */
function layerOf(size: number): Blob & { diffId: Digest } {
  const tar = tarOf({ data: randomBytes(size - TAR_BYTES) });
  return { ...blobOf(BLOB_TYPE.ociLayer, gzipSync(tar, { level: 0 })), diffId: digestOf(tar) };
}

async function put(client: RegistryClient, reference: Reference, { descriptor, bytes }: Blob): Promise<void> {
  await client.ensureBlob(
    parseReference(reference),
    descriptor,
    (part = { from: 0, length: bytes.length }) =>
      Readable.from([bytes.subarray(part.from, part.from + part.length)], { objectMode: false }),
    {},
  );
}
