import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import { z } from 'zod';
import { FactoryError, messageOf } from '../common/errors.js';
import type { StepContext, StepProgress } from '../common/step.js';

/** A beat also brings a cancellation back; of the timeout of 15 s several may be lost on a busy machine. */
const BEAT_MS = 2_000;
/** How often progress is worth showing. */
const PROGRESS_MS = 1_000;
/** A body that has not ended so long after it was told to hangs (a dead file server): without beats the server ends its step. */
const ENDS_WITHIN_MS = 20_000;

/** What the body of an activity gets. */
export interface ActivityContext extends StepContext {
  /** Earlier attempts that failed by themselves: not those whose worker was killed or handed the step back. */
  failures: number;
  /** This attempt among all of the workflow's; Temporal's own count, with kills and hand-backs. */
  attempt: { execution: string; attempt: number };
}

/**
 * Runs the body of an activity: gives it a signal and a way to show progress, beats while it works even when it has
 * nothing to show, and turns what it throws into Temporal's terms. Errors are classified here and nowhere else.
 *
 * @param options.handBack fires when the worker stops: a long step is then given back at once, for another worker.
 */
export async function runStep<T>(
  body: (context: ActivityContext) => Promise<T>,
  options: { handBack?: AbortSignal } = {},
): Promise<T> {
  const activity = Context.current();
  const { cancellationSignal } = activity;
  const signal = options.handBack
    ? AbortSignal.any([cancellationSignal, options.handBack])
    : cancellationSignal;
  const failures = failuresIn(activity.info.heartbeatDetails);
  let latest: StepProgress = { phase: 'start' };
  let beatAt = 0;
  let hangs = false;
  const beat = (failed = failures): void => {
    if (hangs) return;
    beatAt = Date.now();
    activity.heartbeat(failed === 0 ? latest : { ...latest, failures: failed });
  };
  const timer = setInterval(() => beat(), BEAT_MS);
  let patience: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    patience = setTimeout(() => {
      hangs = true;
    }, ENDS_WITHIN_MS);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await body({
      signal,
      failures,
      attempt: { execution: activity.info.activityId, attempt: activity.info.attempt },
      progress: (detail) => {
        latest = detail;
        // Called for every chunk of a transfer, and each beat crosses into the SDK's native core.
        if (Date.now() - beatAt > PROGRESS_MS) beat();
      },
    });
  } catch (error) {
    if (!signal.aborted) beat(failures + 1);
    throw toFailure(error, failures + 1, signal);
  } finally {
    clearInterval(timer);
    clearTimeout(patience);
    signal.removeEventListener('abort', onAbort);
  }
}

// Temporal's own count of attempts has kills and hand-backs in it too; what was beaten last is the only thing that one
// attempt can leave for the next. It comes back from the server, so it is checked.
const beaten = z.object({ failures: z.int().min(0) });
const failuresIn = (details: unknown): number => beaten.safeParse(details).data?.failures ?? 0;

/** A host may ask for more time; more than this, and all that a step may take would go by in a few attempts. */
const MAX_RETRY_DELAY_MS = 10 * 60_000;
/** What we did not foresee: a bug of ours, or a circumstance that the next attempt does not meet. */
const UNEXPECTED_ATTEMPTS = 5;

/**
 * An error in Temporal's terms: what a retry can't help is not retried, and a host that asks for time gets it.
 *
 * @param failures how often the step failed by itself, this time included.
 */
function toFailure(error: unknown, failures: number, signal: AbortSignal): Error {
  if (signal.aborted) return cancellation(signal);
  if (error instanceof FactoryError) {
    return ApplicationFailure.create({
      type: error.type,
      message: error.message,
      nonRetryable: !error.retryable || failures >= error.attempts,
      ...(error.retryAfterMs === undefined
        ? {}
        : { nextRetryDelay: Math.min(error.retryAfterMs, MAX_RETRY_DELAY_MS) }),
    });
  }
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  const nonRetryable = failures >= UNEXPECTED_ATTEMPTS;
  return ApplicationFailure.create({ type: 'Unexpected', message: messageOf(error), nonRetryable });
}

/** Why long steps are given back; see {@link runStep}. */
export class WorkerStops extends Error {
  override readonly name = 'WorkerStops';
}

/** A worker that shuts down hands its step to the next one; only a cancel from Temporal ends it. */
function cancellation(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  const message = messageOf(reason);
  if (reason instanceof WorkerStops || message.includes('WORKER_SHUTDOWN')) {
    return ApplicationFailure.create({
      type: 'WorkerShutdown',
      message: 'this worker stops; another goes on',
      nonRetryable: false,
      nextRetryDelay: 1,
    });
  }
  return reason instanceof CancelledFailure ? reason : new CancelledFailure(message);
}
