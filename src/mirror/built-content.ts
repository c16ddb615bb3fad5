import { FactoryError } from '../common/errors.js';
import type { ImageTask } from '../contract/activities.js';
import type { Digest, Reference } from '../contract/brand.js';
import type { BuiltImage } from '../contract/outcome.js';
import { MAX_CONFIG_BYTES, MAX_MANIFEST_BYTES, parseManifest } from '../registry/manifest.js';
import type { Descriptor, RawManifest } from '../registry/types.js';
import type { ContentStore } from '../store/content.js';
import type { SourceFetcher } from './fetch.js';

/** Everything that a target repository must hold for an image. */
export interface BuiltTree {
  top: RawManifest;
  /** The image manifests; for an image without an index the top itself. */
  manifests: RawManifest[];
  /** Configs and layers, each once. Foreign layers are not among them: they must not be distributed. */
  blobs: Descriptor[];
  /** Those that the engine made, so that no source has them: the platforms' configs, and layers that were built. */
  made: Map<Digest, Descriptor>;
}

/**
 * What an engine left in the content store, where all of that is there. What an index lists beside platforms is the
 * source's own: it is fetched.
 *
 * @returns the digest of what is there no longer
 */
export async function readBuilt(
  task: Pick<ImageTask, 'source' | 'target'>,
  built: BuiltImage,
  { content, fetcher }: { content: ContentStore; fetcher: SourceFetcher },
  signal: AbortSignal,
): Promise<BuiltTree | { missing: Digest }> {
  const { source, target } = task;
  const top = await readManifest(content, built.digest, target);
  if (top === undefined) return { missing: built.digest };
  const parsed = parseManifest(top.bytes, target);
  const platforms = new Map(built.platforms.map((platform) => [platform.target, platform]));
  const manifests: RawManifest[] = [];
  const blobs = new Map<Digest, Descriptor>();
  const made = new Map<Digest, Descriptor>();
  for (const digest of parsed.kind === 'index'
    ? parsed.entries.map((entry) => entry.digest)
    : [built.digest]) {
    const platform = platforms.get(digest);
    const manifest =
      platform === undefined
        ? await fetcher.manifest(source, digest, signal)
        : await readManifest(content, digest, target);
    if (manifest === undefined) return { missing: digest };
    manifests.push(manifest);
    const image = imageIn(manifest, target);
    const layers = image.layers.filter((layer) => !layer.foreign);
    for (const blob of [image.config, ...layers]) blobs.set(blob.digest, blob);
    if (platform === undefined) continue;
    const { config } = image;
    made.set(config.digest, config);
    // Read, not looked for: a damaged one would only be found by the target.
    if ((await content.read(config.digest, MAX_CONFIG_BYTES)) === undefined)
      return { missing: config.digest };
    if (platform.how !== 'built') continue;
    const original = imageIn(await fetcher.manifest(source, platform.source, signal), source);
    const before = new Set(original.layers.map((layer) => layer.digest));
    for (const layer of layers.filter(({ digest }) => !before.has(digest))) {
      made.set(layer.digest, layer);
      if (!(await isThere(content, layer, signal))) return { missing: layer.digest };
    }
  }
  return { top, manifests, blobs: [...blobs.values()], made };
}

function imageIn({ bytes }: RawManifest, name: Reference) {
  const image = parseManifest(bytes, name);
  if (image.kind === 'manifest') return image;
  throw new FactoryError('ImageUnsupported', `${name} has an index in its index`);
}

/** One of the manifests that an engine left; undefined when it is not there (any more). */
export async function readManifest(
  content: ContentStore,
  digest: Digest,
  target: Reference,
): Promise<RawManifest | undefined> {
  const bytes = await content.read(digest, MAX_MANIFEST_BYTES);
  if (bytes === undefined) return undefined;
  const { mediaType } = parseManifest(bytes, target);
  return { descriptor: { mediaType, digest, size: bytes.length }, bytes };
}

/** Whether a blob is there whole. What the machine's last stop may have damaged is read through for that. */
async function isThere(content: ContentStore, blob: Descriptor, signal: AbortSignal): Promise<boolean> {
  const nowhere = (): Promise<never> =>
    Promise.reject(new FactoryError('BuiltContentLost', `${blob.digest} is nowhere else`));
  try {
    await content.ensure(blob, nowhere, { signal });
    return true;
  } catch (error) {
    // It may be another's who looks for the same: they share what comes of it.
    if (!(error instanceof FactoryError && error.type === 'BuiltContentLost')) throw error;
    return false;
  }
}
