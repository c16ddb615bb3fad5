import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { Continuation } from '../contract/continuation.js';
import type { RunInput } from '../contract/input.js';
import type { RunResult } from '../contract/outcome.js';
import type { PlanResult } from '../contract/plan.js';
import { FACTORY_OUTCOME } from '../contract/search-attributes.js';
import { asEnd, type Failure, rootFailure } from './failure.js';
import { makePlan, planResult } from './plan.js';
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
  await run.begin(input, continuation);
  if (run.config.dryRun) return dryRun(run);
  const ended = await work(run);
  if (ended.kind === 'continue') {
    await condition(allHandlersFinished);
    return continueAsNew<typeof imageFactory>(input, run.continuation());
  }
  run.state.steering.close();
  const report = await CancellationScope.nonCancellable(() => run.report(ended.summary));
  const result = run.result(report);
  run.state.finish(result);
  await condition(allHandlersFinished);
  const failure = ended.summary.kind === 'failed' ? ended.summary : run.failure(report);
  upsertSearchAttributes([
    { key: FACTORY_OUTCOME, value: ended.cancellation ? 'cancelled' : failure ? 'failed' : 'success' },
  ]);
  if (ended.cancellation !== undefined) throw ended.cancellation;
  if (failure) throw asEnd(failure, result);
  return result;
}

async function dryRun({ state, config }: Run): Promise<PlanResult> {
  state.enter('plan');
  const plan = await makePlan(state.runId, config, ({ images }) => state.discovered(images));
  state.enter('done');
  return planResult(state.runId, config, plan);
}

type WorkEnd =
  | { kind: 'continue' }
  | {
      kind: 'end';
      summary: { kind: 'completed' } | { kind: 'cancelled' } | ({ kind: 'failed' } & Failure);
      cancellation?: unknown;
    };

/** Everything up to the report, in the time that the run has. What stops it is a value: the report comes in any case. */
async function work(run: Run): Promise<WorkEnd> {
  const outer = CancellationScope.current();
  try {
    const more = await CancellationScope.withTimeout(run.millisecondsLeft(), () => run.work());
    return more ? { kind: 'continue' } : { kind: 'end', summary: { kind: 'completed' } };
  } catch (error) {
    if (!isCancellation(error)) return { kind: 'end', summary: { kind: 'failed', ...rootFailure(error) } };
    if (outer.consideredCancelled)
      return { kind: 'end', summary: { kind: 'cancelled' }, cancellation: error };
    const message = `the run did not end by ${run.deadlineAt}: see in the report which images it did not come to, and run again`;
    return { kind: 'end', summary: { kind: 'failed', type: 'DeadlineExceeded', message } };
  }
}
