import { allHandlersFinished, CancellationScope, condition, patched } from '@temporalio/workflow';
import type { ReportRef, RunResult } from '../contract/outcome.js';
import type { PlanResult } from '../contract/plan.js';
import { attempt, type Stop } from './attempt.js';
import { showOutcome } from './ends.js';
import { asEnd, type Failure, rootFailure } from './failure.js';
import { makePlan, planResult } from './plan.js';
import type { Run } from './run.js';

/**
 * Marks runs that tell how they ended whatever way they did: refused, cancelled, unreported and dry ones began without
 * (docs/operating.md, "Releasing").
 */
const EVERY_END = 'outcome-at-every-end';

/** A refusal is to be known at once, also where the evidence store is what is wrong. */
const REFUSAL_REPORT_TIMEOUT = '1m';

/** Writes the report and ends the run: Failed when an image or the account is not as it should be. */
export async function endRun(run: Run, stop: Stop | undefined): Promise<RunResult> {
  run.state.steering.close('the images are done');
  await CancellationScope.nonCancellable(() => run.clean());
  const { report, unreported } = await tryReport(run, stop);
  const ownFailure = failureOf(run, stop, report, unreported);
  const stepFailure = run.hasStepsAfter ? await run.afterRun(ownFailure ?? cancelledEnd(stop), report) : null;
  const result = run.result(report);
  run.state.finish(result);
  await handlersFinished();
  const failure = ownFailure ?? stepFailure;
  if ((report !== null && stop?.cancellation === undefined) || patched(EVERY_END)) {
    showOutcome(failure ? 'failed' : stop ? 'cancelled' : 'success');
  }
  if (failure) throw asEnd(failure, result);
  if (stop) throw stop.cancellation;
  return result;
}

/** Ends a run whose input was refused, or that was cancelled before anything was known about it. */
export async function endUnbegun(run: Run, { ended, cancellation }: Stop): Promise<never> {
  run.state.steering.close('the run ends');
  if (patched(EVERY_END)) {
    // Best effort: why it ended is in its failure, too.
    await CancellationScope.nonCancellable(() => run.report(ended, REFUSAL_REPORT_TIMEOUT)).catch(
      (error: unknown) => rootFailure(error),
    );
    showOutcome(ended.kind);
  }
  await handlersFinished();
  throw ended.kind === 'failed' ? asEnd(ended) : cancellation;
}

/** Makes the plan and ends with it: a dry run writes no report. */
export async function endDryRun(run: Run): Promise<PlanResult> {
  const { state, config, deadlineAt } = run;
  const told = patched(EVERY_END);
  const planned = await attempt(
    async () => {
      await state.steering.resumed();
      state.steering.close('a dry run changes nothing');
      state.enter('plan');
      return makePlan(state.runId, config, ({ images }) => state.discovered(images));
    },
    told ? { at: deadlineAt, message: `the dry run did not end by ${deadlineAt}: run again` } : undefined,
  );
  await handlersFinished();
  if (planned.stop !== undefined) {
    const { ended, cancellation } = planned.stop;
    if (told) showOutcome(ended.kind);
    throw ended.kind === 'failed' ? asEnd(ended) : cancellation;
  }
  if (told) showOutcome('success');
  state.enter('done');
  return planResult(state.runId, config, planned.value);
}

/** Also in a cancelled run, whose every wait would end at once. */
const handlersFinished = (): Promise<void> =>
  CancellationScope.nonCancellable(() => condition(allHandlersFinished));

/** The report, or why there is none: the evidence store did not take it in all the time that it was given. */
async function tryReport(
  run: Run,
  stop: Stop | undefined,
): Promise<{ report: ReportRef; unreported?: undefined } | { report: null; unreported: Failure }> {
  try {
    const ended = stop?.ended ?? { kind: 'completed' };
    return { report: await CancellationScope.nonCancellable(() => run.report(ended)) };
  } catch (error) {
    return { report: null, unreported: rootFailure(error) };
  }
}

/** What steps after the run are told of one that was cancelled. */
const cancelledEnd = (stop: Stop | undefined): Failure | null =>
  stop === undefined ? null : { type: 'Cancelled', message: 'the run was cancelled' };

/** Why a run is no success; null as well for one that was cancelled and has its report. */
function failureOf(
  run: Run,
  stop: Stop | undefined,
  report: ReportRef | null,
  unreported: Failure | undefined,
): Failure | null {
  const failure = stop === undefined ? run.failure(report) : stop.ended.kind === 'failed' ? stop.ended : null;
  if (unreported === undefined) return failure;
  const first = failure?.message ?? (stop === undefined ? 'every image is as it should be' : 'cancelled');
  const { type, message } = unreported;
  return {
    type: failure?.type ?? type,
    message:
      message === failure?.message
        ? `there is no report: ${message}`
        : `${first}; there is no report: ${message}`,
  };
}
