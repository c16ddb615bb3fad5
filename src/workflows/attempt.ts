import { CancellationScope, CancelledFailure, isCancellation } from '@temporalio/workflow';
import type { RunSummaryForReport } from '../contract/activities.js';
import { millisecondsUntil } from './deadline.js';
import { rootFailure } from './failure.js';

/** What stopped a run before it was complete. */
export interface Stop {
  ended: Exclude<RunSummaryForReport['ended'], { kind: 'completed' }>;
  /** To be thrown in the end, when somebody cancelled the run. */
  cancellation?: unknown;
}

/** Either the value of a part of the run, or what stopped it. */
export type Attempted<T> = { value: T; stop?: undefined } | { stop: Stop };

/**
 * Does a part of a run, in the time that the run has. What stops it is a value: the report comes in any case.
 *
 * @param deadline when the part is given up, ISO 8601, and what is said then
 */
export async function attempt<T>(
  part: () => Promise<T>,
  deadline?: { at: string; message: string },
): Promise<Attempted<T>> {
  const outer = CancellationScope.current();
  try {
    const value = await (deadline === undefined
      ? part()
      : CancellationScope.withTimeout(millisecondsUntil(deadline.at), part));
    return { value };
  } catch (error) {
    if (!isCancellation(error)) return { stop: { ended: { kind: 'failed', ...rootFailure(error) } } };
    if (outer.consideredCancelled || deadline === undefined)
      return { stop: { ended: { kind: 'cancelled' }, cancellation: error } };
    return { stop: { ended: { kind: 'failed', type: 'DeadlineExceeded', message: deadline.message } } };
  }
}

/** A cancellation that came when there was nothing left for it to stop. */
export const lateCancellation = (): Stop => ({
  ended: { kind: 'cancelled' },
  cancellation: new CancelledFailure('the run was cancelled'),
});
