import { workflowInfo } from '@temporalio/workflow';

/** How long a run may take when whoever started it set no limit: it must be over before the next night. */
const DEFAULT_MS = 12 * 3_600_000;
/**
 * What is left of a limit for clean-up and report; the server ends the run at the limit itself, without either. A step
 * hears with its next heartbeat that it is cancelled, so that a few seconds would not do.
 */
const RESERVE = 0.1;
const LEAST_RESERVE_MS = 10_000;
const MAX_RESERVE_MS = 15 * 60_000;

/**
 * When a run stops its work and reports: before the limits that it was started with end it, so that a stuck run has a
 * report and later nights are not silently skipped (issue 6).
 */
export function deadlineOf(): Date {
  const limit = limitMs();
  return new Date(workflowInfo().startTime.getTime() + limit - reserveOf(limit));
}

function limitMs(): number {
  const { executionTimeoutMs, runTimeoutMs } = workflowInfo();
  return Math.min(executionTimeoutMs || DEFAULT_MS, runTimeoutMs || DEFAULT_MS);
}

const reserveOf = (limit: number): number =>
  Math.min(Math.max(limit * RESERVE, LEAST_RESERVE_MS), limit / 2, MAX_RESERVE_MS);

/** All steps after a run together have so long, however much is left. */
const AFTER_RUN_MS = 10 * 60_000;
/** The run's own end. */
const LAST_MS = 30_000;

/** How long steps after the report may take: the server ends the run at its limit, whatever it does. */
export function timeAfterReport(deadlineAt: string): number {
  const left = Date.parse(deadlineAt) - Date.now() + reserveOf(limitMs()) - LAST_MS;
  return Math.max(1_000, Math.min(left, AFTER_RUN_MS));
}

/** From now until a time in ISO 8601; never less than one, since a timer needs some. */
export const millisecondsUntil = (at: string): number => Math.max(1, Date.parse(at) - Date.now());
