import { workflowInfo } from '@temporalio/workflow';

/** How long a run may take when whoever started it set no limit: it must be over before the next night. */
const DEFAULT_MS = 12 * 3_600_000;
/** What is left of a limit for clean-up and report; the server ends the run at the limit itself, without either. */
const RESERVE = 0.1;
const MAX_RESERVE_MS = 15 * 60_000;

/**
 * When a run stops its work and reports: before the limits that it was started with end it, so that a stuck run has a
 * report and later nights are not silently skipped (issue 6).
 */
export function deadlineOf(): Date {
  const { startTime, executionTimeoutMs, runTimeoutMs } = workflowInfo();
  const limit = Math.min(executionTimeoutMs || DEFAULT_MS, runTimeoutMs || DEFAULT_MS);
  return new Date(startTime.getTime() + limit - Math.min(limit * RESERVE, MAX_RESERVE_MS));
}

/** From now until a time in ISO 8601; never less than one, since a timer needs some. */
export const millisecondsUntil = (at: string): number => Math.max(1, Date.parse(at) - Date.now());
