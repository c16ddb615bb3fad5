import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import { FactoryError, messageOf } from '../common/errors.js';
import type { StepContext, StepProgress } from '../common/step.js';

/** A beat also brings a cancellation back; of the timeout of 15 s several may be lost on a busy machine. */
const BEAT_MS = 2_000;
/** How often progress is worth showing. */
const PROGRESS_MS = 1_000;

/**
 * Runs the body of an activity: gives it a signal and a way to show progress, beats while it works even when it has
 * nothing to show, and turns what it throws into Temporal's terms. Errors are classified here and nowhere else.
 *
 * @param options.handBack fires when the worker stops: a long step is then given back at once, for another worker.
 */
export async function runStep<T>(
  body: (context: StepContext) => Promise<T>,
  options: { handBack?: AbortSignal } = {},
): Promise<T> {
  const activity = Context.current();
  const { cancellationSignal } = activity;
  const signal = options.handBack
    ? AbortSignal.any([cancellationSignal, options.handBack])
    : cancellationSignal;
  let latest: StepProgress = { phase: 'start' };
  let beatAt = 0;
  const beat = (): void => {
    beatAt = Date.now();
    activity.heartbeat(latest);
  };
  const timer = setInterval(beat, BEAT_MS);
  try {
    return await body({
      signal,
      progress: (detail) => {
        latest = detail;
        // Called for every chunk of a transfer, and each beat crosses into the SDK's native core.
        if (Date.now() - beatAt > PROGRESS_MS) beat();
      },
    });
  } catch (error) {
    throw toFailure(error, activity.info.attempt, signal);
  } finally {
    clearInterval(timer);
  }
}

/** A host may ask for more time; more than this, and all that a step may take would go by in a few attempts. */
const MAX_RETRY_DELAY_MS = 10 * 60_000;
/** What we did not foresee: a bug of ours, or a circumstance that the next attempt does not meet. */
const UNEXPECTED_ATTEMPTS = 5;

/** An error in Temporal's terms: what a retry can't help is not retried, and a host that asks for time gets it. */
export function toFailure(error: unknown, attempt: number, signal?: AbortSignal): Error {
  if (signal?.aborted) return cancellation(signal);
  if (error instanceof FactoryError) {
    return ApplicationFailure.create({
      type: error.type,
      message: error.message,
      nonRetryable: !error.retryable || attempt >= error.attempts,
      ...(error.retryAfterMs === undefined
        ? {}
        : { nextRetryDelay: Math.min(error.retryAfterMs, MAX_RETRY_DELAY_MS) }),
    });
  }
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  const nonRetryable = attempt >= UNEXPECTED_ATTEMPTS;
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
