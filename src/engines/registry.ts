import type { StepContext } from '../common/step.js';
import type { BuildTask } from '../contract/activities.js';
import type { Digest } from '../contract/brand.js';
import type { BuiltImage } from '../contract/outcome.js';
import type { SourceFetcher } from '../mirror/fetch.js';
import type { Descriptor } from '../registry/types.js';
import type { ContentStore } from '../store/content.js';
import type { BuildEngine } from './engine.js';
import { annotationsOf, editing, relabelPlatform, writeTop } from './relabel-image.js';

/**
 * Labels an image without running anything: config, manifest and index are edited, layers stay as they are. What the
 * source lists beside images is carried over, except BuildKit's attestations; platforms that were not chosen are not
 * listed.
 */
export class RegistryEngine implements BuildEngine {
  constructor(
    private readonly fetcher: SourceFetcher,
    private readonly content: ContentStore,
  ) {}

  /** @throws FactoryError `ImageUnsupported`, and what fetching throws. */
  build(task: BuildTask, context: StepContext): Promise<BuiltImage> {
    return editing(task, () => this.relabel(task, context.signal));
  }

  private async relabel(task: BuildTask, signal: AbortSignal): Promise<BuiltImage> {
    const tree = await this.fetcher.image(task.source, task.sourceDigest, signal, task.build.platforms);
    const annotations = annotationsOf(task, tree);
    const stores = { fetcher: this.fetcher, content: this.content };
    const made = new Map<Digest, Descriptor>();
    const platforms: BuiltImage['platforms'] = [];
    for (const image of tree.platforms) {
      signal.throwIfAborted();
      const source = image.manifest.descriptor.digest;
      const target = await relabelPlatform(task, image, annotations.platform, stores, signal);
      made.set(source, target);
      platforms.push({ platform: image.platform, source, target: target.digest });
    }
    const digest = await writeTop(tree, made, annotations.top, this.content);
    return { digest, mediaType: tree.top.descriptor.mediaType, platforms };
  }
}
