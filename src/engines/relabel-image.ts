import { FactoryError } from '../common/errors.js';
import type { BuildTask } from '../contract/activities.js';
import type { Digest } from '../contract/brand.js';
import type { ImageTree, PlatformImage, SourceFetcher } from '../mirror/fetch.js';
import { JsonError } from '../registry/json-edit.js';
import { parseConfig, takesAnnotations } from '../registry/manifest.js';
import { relabelConfig, relabelIndex, relabelManifest } from '../registry/relabel.js';
import type { Descriptor } from '../registry/types.js';
import type { ContentStore } from '../store/content.js';
import { annotationsFor, labelsFor } from './labels.js';

export interface Stores {
  fetcher: SourceFetcher;
  content: ContentStore;
}

/** The annotations of a platform's manifest and of the top: where there is an index, it alone has ours. */
export function annotationsOf(
  task: BuildTask,
  { top, parsed }: ImageTree,
): { platform: Record<string, string>; top: Record<string, string> } {
  const ours = takesAnnotations(top.descriptor.mediaType) ? annotationsFor(task) : {};
  return parsed.kind === 'index' ? { platform: {}, top: ours } : { platform: ours, top: {} };
}

/** Sets one platform's labels, and nothing else. */
export async function relabelPlatform(
  task: BuildTask,
  { manifest, config }: PlatformImage,
  annotations: Record<string, string>,
  { fetcher, content }: Stores,
  signal: AbortSignal,
): Promise<Descriptor> {
  const before = await fetcher.config(task.source, config, signal);
  const upstream = parseConfig(before, task.source).config.Labels;
  const labelled = relabelConfig(before, labelsFor(task, upstream));
  const bytes = relabelManifest(manifest.bytes, {
    config: { ...config, digest: await content.write(labelled), size: labelled.length },
    annotations,
  });
  return { ...manifest.descriptor, digest: await content.write(bytes), size: bytes.length };
}

/**
 * Points the source's index at what was made of its platforms; those that nothing was made of are not listed. An image
 * without an index is its one platform.
 */
export async function writeTop(
  tree: ImageTree,
  made: ReadonlyMap<Digest, Descriptor>,
  annotations: Record<string, string>,
  content: ContentStore,
): Promise<Digest> {
  const [only] = made.values();
  if (tree.parsed.kind !== 'index') return only?.digest ?? tree.top.descriptor.digest;
  const platforms = tree.platforms.filter(({ manifest }) => made.has(manifest.descriptor.digest));
  const kept = new Set([...platforms, ...tree.others].map(({ position }) => position));
  const index = relabelIndex(tree.top.bytes, {
    replacements: made,
    keep: (position) => kept.has(position),
    annotations,
  });
  return content.write(index);
}

/** Runs an edit of a source's documents. @throws FactoryError `ImageUnsupported` for a document that can't be edited */
export async function editing<T>(task: BuildTask, edit: () => Promise<T>): Promise<T> {
  try {
    return await edit();
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    const message = `${task.source} can't be labelled: ${error.message}.`;
    throw new FactoryError('ImageUnsupported', message, { cause: error });
  }
}
