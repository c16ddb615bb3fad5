import pLimit from 'p-limit';
import { inOrder } from '../common/in-order.js';
import type { StepContext } from '../common/step.js';
import type { BuildTask } from '../contract/activities.js';
import type { BuiltImage } from '../contract/outcome.js';
import type { SourceFetcher } from '../mirror/fetch.js';
import type { ContentStore } from '../store/content.js';
import type { BuildEngine } from './engine.js';
import { annotationsOf, editing, relabelPlatform, writeTop } from './relabel-image.js';

/** Each asks the source for a config; many images are in work at the same time. */
const PLATFORMS_AT_ONCE = 4;

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
    const limit = pLimit(PLATFORMS_AT_ONCE);
    const platforms = await inOrder(
      tree.platforms.map(async (image) => ({
        platform: image.platform,
        source: image.manifest.descriptor.digest,
        made: await limit(() => relabelPlatform(task, image, annotations.platform, stores, signal)),
      })),
    );
    const made = new Map(platforms.map((one) => [one.source, one.made]));
    const digest = await writeTop(tree, made, annotations.top, this.content);
    return {
      digest,
      mediaType: tree.top.descriptor.mediaType,
      platforms: platforms.map(({ platform, source, made: { digest: target } }) => ({
        platform,
        source,
        target,
      })),
    };
  }
}
