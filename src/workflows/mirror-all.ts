import { CancellationScope, CancelledFailure, isCancellation } from '@temporalio/workflow';
import type { MirrorTask } from '../contract/mirror.js';
import { mirrorImageId } from '../contract/names.js';
import type { ImageOutcome } from '../contract/outcome.js';
import type { PlanItem, ResolvedItem } from '../contract/plan.js';
import type { RunConfig } from '../contract/run.js';
import type { DatabasePin } from '../contract/verdict.js';
import { endWithoutWork, needsWork } from './ends.js';
import { rootFailure } from './failure.js';
import { mirrorImage } from './mirror-image.js';
import type { RunState } from './run-state.js';
import { Semaphore } from './semaphore.js';
import { runSingleWriter } from './single-writer.js';

/** Brings every image of the plan to its end, at most `maxConcurrency` at once. Never throws but when cancelled. */
export async function mirrorAll(
  state: RunState,
  config: RunConfig,
  items: readonly PlanItem[],
  database: DatabasePin | null,
): Promise<void> {
  const permits = new Semaphore(config.maxConcurrency);
  const ends = items.map(async (item) => {
    if (!needsWork(item)) return state.ended({ item, outcome: endWithoutWork(item) });
    await permits.run(async () => {
      const workflowId = mirrorImageId(item.target);
      state.started(item, workflowId);
      state.ended({
        item,
        outcome: await mirrorOne(mirrorTask(state.runId, config, item, database), workflowId),
      });
    });
  });
  // Wait for all before a cancellation goes on: children that still clean up belong into the report.
  const settled = await Promise.allSettled(ends);
  for (const end of settled) if (end.status === 'rejected') throw end.reason;
  // A child's cancellation is its image's outcome; that it was the run which was cancelled shows here.
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('the run was cancelled');
}

async function mirrorOne(task: MirrorTask, workflowId: string): Promise<ImageOutcome> {
  try {
    const run = await runSingleWriter(mirrorImage, {
      workflowId,
      args: [task],
      staticSummary: `${task.image} → ${task.target}`,
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
  runId: string,
  config: RunConfig,
  item: ResolvedItem,
  database: DatabasePin | null,
): MirrorTask {
  const { buildPush, gatherScan } = config;
  return {
    runId,
    image: item.image,
    source: item.source,
    sourceDigest: item.sourceDigest,
    target: item.target,
    build: buildPush,
    scan:
      database === null
        ? null
        : {
            platforms: buildPush.platforms,
            policy: gatherScan.policy,
            policyDigest: gatherScan.policyDigest,
            database,
          },
    scanOnly: item.state === 'needs-scan',
  };
}
