import { FactoryError } from '../common/errors.js';
import type { StepContext } from '../common/step.js';
import type { PushTask } from '../contract/activities.js';
import type { BuildEngine } from '../engines/engine.js';
import type { ContentStore } from '../store/content.js';
import { type BuiltTree, readBuilt } from './built-content.js';
import type { SourceFetcher } from './fetch.js';

export interface RebuildDependencies {
  engine: BuildEngine;
  content: ContentStore;
  fetcher: SourceFetcher;
}

/** Whether any worker makes the same of a task, so that nothing of it has to be kept. */
export const isRepeatable = ({ build }: Pick<PushTask, 'build'>): boolean => build.engine === 'registry';

/**
 * Makes sure that what a Docker Engine had to build was built. A worker of a version from before builds knows no engine but
 * ours: it only labels, and says of no platform how it was made.
 *
 * @throws FactoryError `ImageUnsupported`
 */
export function assertMadeAsMeant(task: Pick<PushTask, 'build' | 'built' | 'image'>): void {
  if (isRepeatable(task)) return;
  const unsaid = task.built.platforms.filter(({ how }) => how === undefined);
  if (unsaid.length === 0) return;
  throw new FactoryError(
    'ImageUnsupported',
    `${task.image} was not built for ${unsaid.map(({ platform }) => platform).join(', ')} by a worker that is too old for it: run the same version on all workers`,
  );
}

/**
 * What the task has to bring, from this worker's content store. An image that was only labelled is made again where a part
 * of it is not there, which is cheap and gives the same: so any worker goes on with what another one made. What a Docker
 * Engine built must be there.
 *
 * @throws FactoryError `ImageUnsupported` when another version's worker made it differently; `BuiltContentLost` when a part of a
 *   build is not here; those of the engine
 */
export async function rebuild(
  task: PushTask,
  dependencies: RebuildDependencies,
  context: StepContext,
): Promise<BuiltTree> {
  assertMadeAsMeant(task);
  const kept = await readBuilt(task, task.built, dependencies, context.signal);
  if (!('missing' in kept)) return kept;
  if (!isRepeatable(task)) throw contentLost(task, kept.missing);
  await makeAgain(task, dependencies.engine, context);
  const made = await readBuilt(task, task.built, dependencies, context.signal);
  if (!('missing' in made)) return made;
  // Evicted since: another attempt makes it again.
  throw new FactoryError(
    'TransferCorrupt',
    `${task.target}: ${made.missing} is no longer in the content store`,
  );
}

/** What was built is not on this worker: it must be built again, so no attempt of the same step helps. */
export const contentLost = ({ image }: Pick<PushTask, 'image'>, digest: string): FactoryError =>
  new FactoryError(
    'BuiltContentLost',
    `${image} was built, but ${digest} is not on this worker: it is built again; where that happens often, raise CONTENT_MAX_GB`,
  );

async function makeAgain(task: PushTask, engine: BuildEngine, context: StepContext): Promise<void> {
  const { digest } = await engine.build(task, context);
  if (digest === task.built.digest) return;
  throw new FactoryError(
    'ImageUnsupported',
    `${task.image} is built differently by this worker than by the one before: run the same version on all workers`,
  );
}
