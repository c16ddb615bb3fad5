import { FactoryError } from '../common/errors.js';
import type { StepContext } from '../common/step.js';
import type { PushTask } from '../contract/activities.js';
import type { Digest, Reference } from '../contract/brand.js';
import type { BuiltImage } from '../contract/outcome.js';
import type { BuildEngine } from '../engines/engine.js';
import { MAX_MANIFEST_BYTES, parseManifest } from '../registry/manifest.js';
import type { Descriptor, RawManifest } from '../registry/types.js';
import type { ContentStore } from '../store/content.js';

/** Everything that a target repository must hold for an image. */
export interface BuiltTree {
  top: RawManifest;
  /** The image manifests; for an image without an index the top itself. */
  manifests: RawManifest[];
  /** Configs and layers, each once. Foreign layers are not among them: they must not be distributed. */
  blobs: Descriptor[];
  /** Those that the engine made, so that no source has them: the platforms' configs. */
  made: Set<Digest>;
}

/**
 * Builds the task's image again, which is deterministic and cheap: so any worker goes on with what another one built.
 * @throws FactoryError `ImageUnsupported` when this worker builds it differently; those of the engine.
 */
export async function rebuild(
  task: PushTask,
  { engine, content }: { engine: BuildEngine; content: ContentStore },
  context: StepContext,
): Promise<BuiltTree> {
  const built = await engine.build(task, context);
  if (built.digest !== task.built.digest) {
    throw new FactoryError(
      'ImageUnsupported',
      `${task.image} is built differently by this worker than by the one before: run the same version on all workers`,
    );
  }
  return readBuilt(content, built, task.target);
}

/** Reads what an engine left in the content store. @throws FactoryError when a part of it is not there. */
async function readBuilt(content: ContentStore, built: BuiltImage, target: Reference): Promise<BuiltTree> {
  const top = await readManifest(content, built.digest, target);
  const parsed = parseManifest(top.bytes, target);
  const manifests =
    parsed.kind === 'index'
      ? await Promise.all(parsed.entries.map((entry) => readManifest(content, entry.digest, target)))
      : [top];
  const blobs = new Map<Digest, Descriptor>();
  const made = new Set<Digest>();
  const platforms = new Set(built.platforms.map((platform) => platform.target));
  for (const { bytes, descriptor } of manifests) {
    const image = parseManifest(bytes, target);
    if (image.kind === 'index')
      throw new FactoryError('ImageUnsupported', `${target} has an index in its index`);
    if (platforms.has(descriptor.digest)) made.add(image.config.digest);
    for (const blob of [image.config, ...image.layers.filter((layer) => !layer.foreign)])
      blobs.set(blob.digest, blob);
  }
  return { top, manifests, blobs: [...blobs.values()], made };
}

async function readManifest(content: ContentStore, digest: Digest, target: Reference): Promise<RawManifest> {
  const bytes = await content.read(digest, MAX_MANIFEST_BYTES);
  if (bytes === undefined) {
    // Evicted between build and push: another attempt builds it again.
    throw new FactoryError('TransferCorrupt', `${target}: ${digest} is no longer in the content store`);
  }
  const { mediaType } = parseManifest(bytes, target);
  return { descriptor: { mediaType, digest, size: bytes.length }, bytes };
}
