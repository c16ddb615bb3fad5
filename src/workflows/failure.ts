import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  TemporalFailure,
  TimeoutFailure,
} from '@temporalio/workflow';
import type { FailureType } from '../contract/failure.js';

export interface Failure {
  type: string;
  message: string;
}

/** What really went wrong: Temporal wraps an activity's failure in up to three others that say only where it happened. */
export function rootFailure(error: unknown): Failure {
  let current = error;
  while (current instanceof TemporalFailure && !(current instanceof ApplicationFailure) && current.cause) {
    current = current.cause;
  }
  if (current instanceof ApplicationFailure) {
    return { type: current.type ?? 'Error', message: current.message };
  }
  if (current instanceof TimeoutFailure) {
    return {
      type: 'TimedOut',
      message: 'no worker finished it in time; see the last attempt in the Web UI, and run again',
    };
  }
  if (current instanceof CancelledFailure) return { type: 'Cancelled', message: 'cancelled' };
  if (current instanceof TemporalFailure) return { type: current.name, message: current.message };
  // Anything else is a bug in workflow code: let Temporal retry the task and show it, rather than end the run.
  throw error;
}

/** Whether an activity failed in this way. */
export const failedAs = (type: FailureType, error: unknown): boolean =>
  error instanceof ActivityFailure && error.cause instanceof ApplicationFailure && error.cause.type === type;

/** Whether no worker took an activity in the time that it was given for that. */
export const neverStarted = (error: unknown): boolean =>
  error instanceof ActivityFailure &&
  error.cause instanceof TimeoutFailure &&
  error.cause.timeoutType === 'SCHEDULE_TO_START';

/** The same failure as this workflow's own end, never retried. */
export const asEnd = ({ type, message }: Failure, details?: unknown): ApplicationFailure =>
  ApplicationFailure.create({
    type,
    message,
    nonRetryable: true,
    ...(details ? { details: [details] } : {}),
  });
