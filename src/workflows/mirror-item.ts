import { isCancellation } from '@temporalio/workflow';
import type { MirrorTask } from '../contract/mirror.js';
import { mirrorImageId } from '../contract/names.js';
import type { ImageOutcome } from '../contract/outcome.js';
import type { PlanItem, ResolvedItem } from '../contract/plan.js';
import { IMAGE_HOOKS, type RunConfig } from '../contract/run.js';
import { FACTORY_IMAGE } from '../contract/search-attributes.js';
import { stepsAt } from '../contract/template-step.js';
import type { DatabasePin } from '../contract/verdict.js';
import { endWithoutWork, needsWork } from './ends.js';
import { rootFailure } from './failure.js';
import { mirrorImage } from './mirror-image.js';
import type { RunState } from './run-state.js';
import { runSingleWriter } from './single-writer.js';

/** Starts (or settles) one planned image; it ends in `state`, whatever its end is. */
export function startItem(
  state: RunState,
  config: RunConfig,
  item: PlanItem,
  database: DatabasePin | null,
): void {
  if (!needsWork(item)) {
    state.ended({ item, outcome: endWithoutWork(item) });
    return;
  }
  state.planned(item);
  state.steering.start(async () => {
    const workflowId = mirrorImageId(item.target);
    state.started(item, workflowId);
    state.ended({
      item,
      outcome: await mirrorOne(mirrorTask(state, config, item, database), workflowId),
    });
  });
}

async function mirrorOne(task: MirrorTask, workflowId: string): Promise<ImageOutcome> {
  try {
    const run = await runSingleWriter(mirrorImage, {
      workflowId,
      args: [task],
      staticSummary: `${task.image} → ${task.target}`,
      typedSearchAttributes: [{ key: FACTORY_IMAGE, value: task.image.slice(0, 255) }],
    });
    return run.kind === 'done'
      ? run.result
      : { kind: 'skipped', reason: `in progress elsewhere: ${run.holder} has it` };
  } catch (error) {
    if (isCancellation(error)) return { kind: 'cancelled' };
    return { kind: 'failed', step: null, ...rootFailure(error) };
  }
}

function mirrorTask(
  { runId, startedAt }: Pick<RunState, 'runId' | 'startedAt'>,
  config: RunConfig,
  item: ResolvedItem,
  database: DatabasePin | null,
): MirrorTask {
  const { gatherScan } = config;
  // What a child has no use for goes into none of its steps.
  const { steps: _steps, text: _text, ...build } = config.buildPush;
  const { scanners } = gatherScan;
  const steps = stepsAt(config, ...IMAGE_HOOKS);
  return {
    runId,
    image: item.image,
    source: item.source,
    sourceDigest: item.sourceDigest,
    target: item.target,
    build,
    scan:
      database === null
        ? null
        : {
            platforms: build.platforms,
            policy: gatherScan.policy,
            policyDigest: gatherScan.policyDigest,
            database,
            ...(scanners === undefined ? {} : { scanners }),
          },
    scanOnly: item.state === 'needs-scan',
    runStartedAt: startedAt,
    ...(steps.length === 0 ? {} : { steps }),
  };
}
