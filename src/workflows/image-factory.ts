import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  workflowInfo,
} from '@temporalio/workflow';
import type { Continuation } from '../contract/continuation.js';
import type { RunInput } from '../contract/input.js';
import type { RunResult } from '../contract/outcome.js';
import type { PlanResult } from '../contract/plan.js';
import { attempt, lateCancellation } from './attempt.js';
import { endDryRun, endRun, endUnbegun } from './ending.js';
import { Run } from './run.js';

/**
 * A run: resolve → discover → plan and mirror, page by page → update the account → report.
 * It ends Failed, after its report, when an image or the account is not as it should be. A run of very many images goes
 * on in further executions under the same workflow id and run id.
 *
 * @param continuation what an earlier execution of the same run hands over; not for callers.
 */
export async function imageFactory(
  input: RunInput,
  continuation?: Continuation,
): Promise<RunResult | PlanResult> {
  const run = new Run(workflowInfo().firstExecutionRunId);
  const begun = await attempt(() => run.begin(input, continuation));
  if (begun.stop !== undefined) return endUnbegun(run, begun.stop);
  if (run.config.dryRun) return endDryRun(run);
  const outer = CancellationScope.current();
  const worked = await attempt(() => run.work(), {
    at: run.deadlineAt,
    message: `the run did not end by ${run.deadlineAt}: see in the report which images it did not come to, and run again`,
  });
  if (worked.stop !== undefined || !worked.value) return endRun(run, worked.stop);
  // A cancellation that came while the last outcomes were written: the next execution would not know of it.
  if (outer.consideredCancelled) return endRun(run, lateCancellation());
  await condition(allHandlersFinished);
  return continueAsNew<typeof imageFactory>(input, run.continuation());
}
