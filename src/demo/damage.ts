import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FactoryError } from '../common/errors.js';
import type { Digest } from '../contract/brand.js';
import { parseManifest } from '../registry/manifest.js';
import { atDigest, formatReference, parseReference } from '../registry/reference.js';
import { type World, withRegistry } from './world.js';

/** One that is mirrored, and whose own layer no other image has. */
const IMAGE = 'harness/drone-git:1.6.9-rootless';

export interface Damage {
  target: string;
  /** What is gone from the registry's disk: the top manifest, and a layer of its first platform. */
  manifest: Digest;
  layer: Digest;
}

/**
 * Loses content of one copy, as a disk does or a careless clean-up: the bytes of its top manifest, which every plan reads,
 * and of a layer, which only the repair looks at. Distribution keeps no cache of them unless it is told to.
 *
 * @throws FactoryError `ImageNotFound` when the copy is not there (any more)
 */
export async function damageCopy(world: Pick<World, 'input' | 'targetStorage'>): Promise<Damage> {
  const target = formatReference(parseReference(`${world.input.registry}/${IMAGE}`));
  const { manifest, layer } = await withRegistry(async (registry) => {
    const top = await registry.manifest(target);
    const index = top && parseManifest(top.bytes, target);
    const first = index?.kind === 'index' ? index.entries[0] : undefined;
    const child = first && (await registry.manifest(atDigest(target, first.digest)));
    const image = child && parseManifest(child.bytes, target);
    const own = image?.kind === 'manifest' ? image.layers.at(-1) : undefined;
    if (top === undefined || own === undefined)
      throw new FactoryError(
        'ImageNotFound',
        `${target} is not there: it is broken already; the next run mends it`,
      );
    return { manifest: top.descriptor.digest, layer: own.digest };
  });
  for (const digest of [manifest, layer])
    await rm(blobDirectory(world.targetStorage, digest), { recursive: true });
  return { target, manifest, layer };
}

/** Where distribution's file system driver has a blob's bytes. */
function blobDirectory(storage: string, digest: Digest): string {
  const hex = digest.slice('sha256:'.length);
  return join(storage, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex);
}
