import { FactoryError } from '../../common/errors.js';
import { Lanes } from '../../common/lanes.js';
import type { StepContext } from '../../common/step.js';
import { expandAll, imageVariables } from '../../config/variables.js';
import type { BuildTask, EngineState } from '../../contract/activities.js';
import type { Digest } from '../../contract/brand.js';
import type { BuiltImage, PlatformDigests } from '../../contract/outcome.js';
import { readBuilt } from '../../mirror/built-content.js';
import type { ImageTree, PlatformImage, SourceFetcher } from '../../mirror/fetch.js';
import type { Descriptor } from '../../registry/types.js';
import type { ContentStore } from '../../store/content.js';
import type { EvidenceStore } from '../../store/evidence.js';
import type { BuildEngine } from '../engine.js';
import { annotationsOf, editing, relabelPlatform, writeTop } from '../relabel-image.js';
import { CannotRun } from './build-failure.js';
import { BuildLog } from './build-log.js';
import { buildPlatform } from './build-platform.js';
import { BUILD_LIMITS, type BuildLimits, BuildTime, noTurn } from './build-time.js';
import type { BuildingEngine, Daemon } from './daemon.js';
import { cleanEngine, sweepEngine } from './housekeeping.js';
import { notBuildable, runsPrograms, type Unbuildable, whyNotBuildable } from './platforms.js';
import { type Recipe, readRecipe } from './recipe.js';
import { buildKey, readRecord, writeRecord } from './record.js';

/** Of one worker: a build takes the engine's processors, and more would only slow each other. */
const BUILDS_AT_ONCE = 2;
/** Every night, where builds are nightly. */
const SWEEP_EVERY_MS = 6 * 60 * 60 * 1000;

export interface BuildkitDependencies {
  daemon: Daemon;
  fetcher: SourceFetcher;
  content: ContentStore;
  evidence: EvidenceStore;
}

/**
 * Builds what a template adds to an image, by a Docker Engine that gets the source from the content store and gives the
 * result back to it. The source's layers stay as its registry has them; only new ones are added.
 */
export class BuildkitEngine implements BuildEngine {
  readonly #lanes = new Lanes(BUILDS_AT_ONCE);

  #sweptAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly dependencies: BuildkitDependencies,
    private readonly limits: BuildLimits = BUILD_LIMITS,
  ) {}

  /**
   * @throws FactoryError `BuildFailed`, `PlatformNotBuildable`, `ImageUnsupported`; faults of the engine; what fetching
   *   and the stores throw
   */
  async build(task: BuildTask, context: StepContext): Promise<BuiltImage> {
    const { evidence } = this.dependencies;
    const known = await readRecord(task, evidence, context.signal);
    if (
      known !== undefined &&
      !('missing' in (await readBuilt(task, known, this.dependencies, context.signal)))
    )
      return known;
    const turn = this.#lanes.join();
    const late = AbortSignal.timeout(this.limits.waitMs);
    let begun = false;
    try {
      return await turn(AbortSignal.any([context.signal, late]), () => {
        begun = true;
        return editing(task, () => this.#build(task, context));
      });
    } catch (error) {
      if (begun || context.signal.aborted || !late.aborted) throw error;
      throw noTurn(task.image, this.limits);
    }
  }

  /** What the engine says of itself. @throws FactoryError `EngineUnavailable`, `EngineUnsuitable` */
  async state(signal: AbortSignal): Promise<EngineState> {
    const { version, platforms } = await this.dependencies.daemon.state(signal);
    return { version, platforms };
  }

  /** Removes what a run left on the engine, and what dead runs did. @returns how much that was */
  clean(runId: string, signal: AbortSignal): Promise<number> {
    return cleanEngine(this.dependencies.daemon, runId, signal);
  }

  async #build(task: BuildTask, context: StepContext): Promise<BuiltImage> {
    const { evidence } = this.dependencies;
    const log = new BuildLog();
    const time = new BuildTime(this.limits);
    try {
      const signal = AbortSignal.any([context.signal, time.signal]);
      const built = await this.#buildAll(task, { ...context, signal }, log, time);
      const reference = await evidence.put(buildKey(task, 'log'), log.text(), context.signal);
      const whole = { ...built, log: reference };
      await writeRecord(task, whole, evidence, context.signal);
      return whole;
    } catch (thrown) {
      context.signal.throwIfAborted();
      const error = time.failure(thrown, task.image, log.lastLines().slice(-3)) ?? thrown;
      if (!(error instanceof FactoryError) || error.type !== 'BuildFailed') throw error;
      if (error !== thrown) log.line(`ERROR: ${error.message}`);
      const { key } = await evidence.put(buildKey(task, 'log'), log.text(), context.signal);
      throw new FactoryError('BuildFailed', `${error.message}. All that it printed: ${key}`, {
        cause: error,
      });
    }
  }

  async #buildAll(
    task: BuildTask,
    context: StepContext,
    log: BuildLog,
    time: BuildTime,
  ): Promise<BuiltImage> {
    const { fetcher, evidence, daemon } = this.dependencies;
    const { buildkit, platforms } = task.build;
    if (buildkit === undefined)
      throw new FactoryError(
        'InvalidInput',
        'the build-push template names no dockerfile for engine buildkit',
      );
    const buildArgs = expandAll(buildkit.buildArgs, imageVariables(task));
    const recipe = await readRecipe({ ...buildkit, buildArgs }, evidence, context.signal);
    const tree = await fetcher.image(task.source, task.sourceDigest, context.signal, platforms);
    const engine = await daemon.state(context.signal);
    await this.#sweep(context.signal);
    const build = new ImageBuild(task, tree, recipe, engine, log, time, this.dependencies, context);
    log.line(`${task.image}: ${task.source} ${task.sourceDigest}, by Docker Engine ${engine.version}`);
    return build.run(buildkit.onUnbuildablePlatform);
  }

  /**
   * Removes what dead runs left: the end of a run clears the engine of one worker only, and a worker that was killed may
   * have had another. A build goes on without it.
   */
  async #sweep(signal: AbortSignal): Promise<void> {
    const now = Date.now();
    if (now - this.#sweptAt < SWEEP_EVERY_MS) return;
    this.#sweptAt = now;
    await sweepEngine(this.dependencies.daemon, signal).catch(() => 0);
    signal.throwIfAborted();
  }
}

/** One image with all of its platforms. */
class ImageBuild {
  readonly #made = new Map<Digest, Descriptor>();
  readonly #platforms: PlatformDigests[] = [];
  readonly #skipped: string[] = [];

  constructor(
    private readonly task: BuildTask,
    private readonly tree: ImageTree,
    private readonly recipe: Recipe,
    private readonly engine: BuildingEngine,
    private readonly log: BuildLog,
    private readonly time: BuildTime,
    private readonly dependencies: BuildkitDependencies,
    private readonly context: StepContext,
  ) {}

  async run(otherwise: 'fail' | 'copy' | 'skip'): Promise<BuiltImage> {
    const { task, tree, context } = this;
    const runs = runsPrograms(this.recipe.instructions);
    const cannot = tree.platforms.flatMap((image): (Unbuildable & { image: PlatformImage })[] => {
      const why = whyNotBuildable(image, runs, this.engine.platforms);
      return why === undefined ? [] : [{ image, platform: image.platform, why }];
    });
    // Known before anything is built: nothing is built then.
    if (cannot.length > 0 && otherwise === 'fail') throw notBuildable(task.image, cannot);
    for (const image of tree.platforms) {
      context.signal.throwIfAborted();
      const known = cannot.find((one) => one.image === image);
      const why = known?.why ?? (await this.#tryToBuild(image));
      if (why === undefined) continue;
      const unbuildable = { platform: image.platform, why };
      if (otherwise === 'fail') throw notBuildable(task.image, [unbuildable]);
      this.log.line(
        `== ${image.platform}: not built (${why}): ${otherwise === 'copy' ? 'copied' : 'left out'}`,
      );
      if (otherwise === 'copy') await this.#copy(image);
      else this.#skipped.push(image.platform);
    }
    if (this.#platforms.length === 0)
      throw notBuildable(
        task.image,
        tree.platforms.map(({ platform }) => ({ platform, why: 'none is left to skip it for' })),
      );
    const annotations = annotationsOf(task, tree).top;
    return {
      digest: await writeTop(tree, this.#made, annotations, this.dependencies.content),
      mediaType: tree.top.descriptor.mediaType,
      platforms: this.#platforms,
      ...(this.#skipped.length === 0 ? {} : { skipped: this.#skipped }),
    };
  }

  /** @returns why it could not be built after all, or undefined */
  async #tryToBuild(image: PlatformImage): Promise<string | undefined> {
    const { task, tree, recipe, log, time, engine } = this;
    const annotations = annotationsOf(task, tree).platform;
    try {
      const job = { task, image, recipe, native: engine.native, log, time, annotations };
      this.#add(image, await buildPlatform(job, this.dependencies, this.context), 'built');
      return undefined;
    } catch (error) {
      if (error instanceof CannotRun) return error.message;
      throw error;
    }
  }

  async #copy(image: PlatformImage): Promise<void> {
    const { task, tree, context } = this;
    const annotations = annotationsOf(task, tree).platform;
    const made = await relabelPlatform(task, image, annotations, this.dependencies, context.signal);
    this.#add(image, made, 'labelled');
  }

  #add(image: PlatformImage, made: Descriptor, how: 'built' | 'labelled'): void {
    const source = image.manifest.descriptor.digest;
    this.#made.set(source, made);
    this.#platforms.push({ platform: image.platform, source, target: made.digest, how });
  }
}
