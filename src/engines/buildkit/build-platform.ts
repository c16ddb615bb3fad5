import { FactoryError } from '../../common/errors.js';
import type { StepContext } from '../../common/step.js';
import type { BuildTask } from '../../contract/activities.js';
import type { PlatformImage } from '../../mirror/fetch.js';
import { parseConfig } from '../../registry/manifest.js';
import { platformOf } from '../../registry/platform.js';
import type { Descriptor } from '../../registry/types.js';
import type { BuildLog } from './build-log.js';
import type { BuildTime } from './build-time.js';
import { engineUnavailable } from './docker-error.js';
import type { BuildkitDependencies } from './engine.js';
import { type Exported, exportLayers } from './export.js';
import { removeNames } from './housekeeping.js';
import { type Instruction, instructionsOf } from './instructions.js';
import { loadBase } from './load.js';
import { newName } from './names.js';
import type { Recipe } from './recipe.js';
import { addedDiffIds, newLayerType, writePlatform } from './result.js';
import { solve } from './solve.js';

export interface PlatformJob {
  task: BuildTask;
  image: PlatformImage;
  recipe: Recipe;
  /** Of the machine that the engine runs on. */
  native: string;
  log: BuildLog;
  time: BuildTime;
  annotations: Record<string, string>;
}

/**
 * Builds one platform: the source's layers go from the content store into the engine, the template's instructions run on
 * them, and what is new comes back. Names on the engine are removed whatever happens.
 *
 * @throws CannotRun, TooLong, and FactoryErrors of the build, the engine, the source and the stores
 */
export async function buildPlatform(
  { task, image, recipe, native, log, time, annotations }: PlatformJob,
  { daemon, fetcher, content }: BuildkitDependencies,
  context: StepContext,
): Promise<Descriptor> {
  const { signal } = context;
  const release = content.lease(image.layers.map(({ digest }) => digest));
  const names: string[] = [];
  const named = (what: 'base' | 'built'): string => {
    const name = newName(task.runId, what, image.manifest.descriptor.digest);
    names.push(name);
    return name;
  };
  try {
    const bytes = await fetcher.config(task.source, image.config, signal);
    const config = parseConfig(bytes, task.source);
    const base = config.rootfs?.diff_ids ?? [];
    if (base.length !== image.layers.length || base.length === 0)
      throw new FactoryError(
        'ImageUnsupported',
        `${task.source} for ${image.platform} can't be built on: its config names ${base.length} layers, its manifest ${image.layers.length}`,
      );
    for (const layer of image.layers) await fetcher.layer(task.source, layer, context);
    context.progress({ phase: 'load' });
    const [baseName, resultName] = [named('base'), named('built')];
    const source = { config: bytes, configDigest: image.config.digest, layers: image.layers };
    await loadBase(source, baseName, { daemon, content }, signal);
    const before = unread(bytes);
    const instructions = [...triggersOf(before.run), ...recipe.instructions];
    log.begin(`${image.platform}: built`);
    context.progress({ phase: 'build' });
    const solved = {
      image: task.image,
      recipe,
      instructions,
      user: config.config.User,
      base: baseName,
      result: resultName,
      platform: platformOf({ ...config, 'os.version': null }),
      native,
      runId: task.runId,
      log,
    };
    await time.instructions(image.platform, (limitMs) => solve({ ...solved, limitMs }, daemon, signal));
    const built = await daemon.image(resultName, signal);
    if (built === undefined) throw engineUnavailable(daemon.name, 'what it built is gone');
    const added = addedDiffIds(base, built, task.image);
    // A layer that the base has too is in the source already.
    const wanted = new Set(added.filter((diffId) => !base.includes(diffId)));
    const what = {
      wanted,
      all: built.RootFS.Layers,
      mediaType: newLayerType(image.manifest.descriptor.mediaType),
    };
    const exported: Exported =
      added.length === 0
        ? { layers: new Map(), history: [], created: undefined }
        : await exportLayers(resultName, what, { daemon, content }, context);
    return await writePlatform(
      task,
      { image, bytes, config, before, instructions, built, exported },
      annotations,
      content,
    );
  } finally {
    release();
    await removeNames(daemon, names);
  }
}

/** Instructions that the source has for whoever builds on it: they run first. They have no line in the template. */
function triggersOf({ OnBuild }: Record<string, unknown>): Instruction[] {
  if (!Array.isArray(OnBuild)) return [];
  const texts = OnBuild.filter((one): one is string => typeof one === 'string');
  return texts.flatMap((text) => instructionsOf(text)).map((one) => ({ ...one, line: 0 }));
}

/** The parts of a config that edits compare with. It is known to be a config by now. */
function unread(bytes: Buffer): { run: Record<string, unknown>; history: number } {
  const document = JSON.parse(bytes.toString('utf8')) as {
    config?: Record<string, unknown> | null;
    history?: unknown;
  };
  return {
    run: document.config ?? {},
    history: Array.isArray(document.history) ? document.history.length : 0,
  };
}
