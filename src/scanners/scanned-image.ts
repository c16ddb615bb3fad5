import { FactoryError } from '../common/errors.js';
import type { StepContext } from '../common/step.js';
import type { ScanTask } from '../contract/activities.js';
import type { Digest } from '../contract/brand.js';
import type { BuiltImage, PlatformDigests } from '../contract/outcome.js';
import { contentLost } from '../mirror/built.js';
import type { PlatformImage, SourceFetcher } from '../mirror/fetch.js';
import {
  type LayerDescriptor,
  MAX_CONFIG_BYTES,
  MAX_MANIFEST_BYTES,
  parseManifest,
} from '../registry/manifest.js';
import type { ContentStore } from '../store/content.js';

/** An image that is to be scanned, and how its parts come into the content store. */
export interface ScannedImage {
  /** What the verdict is about. */
  digest: Digest;
  platforms: PlatformImage[];
  config(image: PlatformImage, signal: AbortSignal): Promise<Buffer>;
  layer(layer: LayerDescriptor, context: StepContext): Promise<void>;
}

type Fetcher = Pick<SourceFetcher, 'image' | 'config' | 'layer' | 'manifest'>;

/** The source as its registry has it. @throws what fetching throws */
export async function sourceImage(
  { source, sourceDigest, platforms }: ScanTask,
  fetcher: Fetcher,
  signal: AbortSignal,
): Promise<ScannedImage> {
  return {
    digest: sourceDigest,
    platforms: (await fetcher.image(source, sourceDigest, signal, platforms)).platforms,
    config: (image, own) => fetcher.config(source, image.config, own),
    layer: (layer, context) => fetcher.layer(source, layer, context),
  };
}

/**
 * What a Docker Engine built, from the content store alone, but for the layers that are the source's own. Platforms that
 * were only labelled are not in it: they have the source's layers, which were judged.
 *
 * @throws FactoryError `BuiltContentLost` when a part of it is not on this worker.
 */
export async function builtImage(
  task: ScanTask & { built: BuiltImage },
  { fetcher, content }: { fetcher: Fetcher; content: ContentStore },
  signal: AbortSignal,
): Promise<ScannedImage> {
  const { built, source, target } = task;
  const lost = (digest: Digest): FactoryError => contentLost(task, digest);
  const read = async (digest: Digest, most: number): Promise<Buffer> => {
    const bytes = await content.read(digest, most);
    if (bytes === undefined) throw lost(digest);
    return bytes;
  };
  const ofSource = new Set<Digest>();
  const platform = async (of: PlatformDigests): Promise<PlatformImage> => {
    const bytes = await read(of.target, MAX_MANIFEST_BYTES);
    const parsed = parseManifest(bytes, target);
    const base = parseManifest((await fetcher.manifest(source, of.source, signal)).bytes, source);
    if (parsed.kind === 'index' || base.kind === 'index')
      throw new FactoryError('ImageUnsupported', `${task.image} has an index where ${of.platform} should be`);
    for (const { digest } of base.layers) ofSource.add(digest);
    return {
      platform: of.platform,
      position: 0,
      manifest: { descriptor: { mediaType: parsed.mediaType, digest: of.target, size: bytes.length }, bytes },
      config: parsed.config,
      layers: parsed.layers,
    };
  };
  const made = built.platforms.filter(({ how }) => how === 'built');
  if (made.length === 0)
    throw new FactoryError('InvalidInput', `Nothing of ${task.image} was built: there is nothing to scan.`);
  // The push needs it: better told now than after a long scan.
  await read(built.digest, MAX_MANIFEST_BYTES);
  const platforms = [];
  for (const one of made) platforms.push(await platform(one));
  return {
    digest: built.digest,
    platforms,
    config: (image) => read(image.config.digest, MAX_CONFIG_BYTES),
    layer: async (layer, context) => {
      if (ofSource.has(layer.digest)) return fetcher.layer(source, layer, context);
      const absent = (): Promise<never> => Promise.reject(lost(layer.digest));
      await content.ensure(layer, absent, { signal: context.signal });
    },
  };
}
