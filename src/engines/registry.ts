import { FactoryError } from '../common/errors.js';
import type { StepContext } from '../common/step.js';
import type { BuildTask } from '../contract/activities.js';
import type { Digest } from '../contract/brand.js';
import type { BuiltImage } from '../contract/outcome.js';
import type { PlatformImage, SourceFetcher } from '../mirror/fetch.js';
import { JsonError } from '../registry/json-edit.js';
import { parseConfig, takesAnnotations } from '../registry/manifest.js';
import { relabelConfig, relabelIndex, relabelManifest } from '../registry/relabel.js';
import type { Descriptor } from '../registry/types.js';
import type { ContentStore } from '../store/content.js';
import type { BuildEngine } from './engine.js';
import { annotationsFor, labelsFor } from './labels.js';

/**
 * Labels an image without running anything: config, manifest and index are edited, layers stay as they are. What the
 * source lists beside images is carried over, except BuildKit's attestations; platforms that were not chosen are not
 * listed.
 */
export class RegistryEngine implements BuildEngine {
  readonly name = 'registry';

  constructor(
    private readonly fetcher: SourceFetcher,
    private readonly content: ContentStore,
  ) {}

  /** @throws FactoryError `ImageUnsupported`, and what fetching throws. */
  async build(task: BuildTask, context: StepContext): Promise<BuiltImage> {
    try {
      return await this.relabel(task, context.signal);
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      const message = `${task.source} can't be labelled: ${error.message}.`;
      throw new FactoryError('ImageUnsupported', message, { cause: error });
    }
  }

  private async relabel(task: BuildTask, signal: AbortSignal): Promise<BuiltImage> {
    const tree = await this.fetcher.image(task.source, task.sourceDigest, signal, task.build.platforms);
    const { mediaType } = tree.top.descriptor;
    const annotations = takesAnnotations(mediaType) ? annotationsFor(task) : {};
    const hasIndex = tree.parsed.kind === 'index';
    const replacements = new Map<Digest, Descriptor>();
    const platforms: BuiltImage['platforms'] = [];
    for (const image of tree.platforms) {
      signal.throwIfAborted();
      const made = await this.platform(task, image, hasIndex ? {} : annotations, signal);
      replacements.set(image.manifest.descriptor.digest, made);
      platforms.push({
        platform: image.platform,
        source: image.manifest.descriptor.digest,
        target: made.digest,
      });
    }
    if (!hasIndex) return { digest: platforms[0]?.target ?? task.sourceDigest, mediaType, platforms };
    const kept = new Set([...tree.platforms, ...tree.others].map(({ position }) => position));
    const index = relabelIndex(tree.top.bytes, {
      replacements,
      keep: (position) => kept.has(position),
      annotations,
    });
    return { digest: await this.content.write(index), mediaType, platforms };
  }

  private async platform(
    task: BuildTask,
    { manifest, config }: PlatformImage,
    annotations: Record<string, string>,
    signal: AbortSignal,
  ): Promise<Descriptor> {
    const before = await this.fetcher.config(task.source, config, signal);
    const upstream = parseConfig(before, task.source).config.Labels;
    const labelled = relabelConfig(before, labelsFor(task, upstream));
    const bytes = relabelManifest(manifest.bytes, {
      config: { ...config, digest: await this.content.write(labelled), size: labelled.length },
      annotations,
    });
    return { ...manifest.descriptor, digest: await this.content.write(bytes), size: bytes.length };
  }
}
