import {
  ApplicationFailure,
  type Client,
  type ScheduleDescription,
  type WorkflowExecutionStatusName,
  WorkflowFailedError,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { msToTs, optionalTsToMs } from '@temporalio/common/lib/time.js';
import { messageOf } from '../common/errors.js';
import { WORKFLOW } from '../contract/names.js';
import { describeSchedule } from './apply-schedule.js';

/** The id of a schedule when the caller names none. */
export const DEFAULT_SCHEDULE_ID = 'image-factory-nightly';

/** What a schedule should have started and did not. */
export interface SkippedNights {
  /** Since the schedule was made, because the run before was still going; triggers by hand count too. */
  overlap: number;
  /** Since it was made, because the server was away for longer than the catch-up window. */
  missedCatchUp: number;
  /** Times of the last week at which nothing was started, whatever the reason (also pausing), oldest first. */
  nights: Date[];
  /** Whether the last time that has come is among them. */
  last: boolean;
}

/** One start by a schedule, oldest first as the server has them. */
export interface ScheduledRun {
  scheduledAt: Date;
  workflowId: string;
  /** Null when the namespace does not keep it any longer. */
  status: WorkflowExecutionStatusName | null;
  failure: { type: string; message: string } | null;
}

const WEEK_MS = 7 * 86_400_000;
/** A start may take the server a moment. */
const LATE_MS = 10_000;
/** The server keeps this many starts of a schedule. */
const KEPT_STARTS = 10;
/** More schedules than a person looks at. */
const LISTED_MAX = 500;
const DESCRIBED_MAX = 20;

/** All schedules that start runs on a task queue, whoever made them. */
export async function factorySchedules(client: Client, taskQueue: string): Promise<ScheduleDescription[]> {
  const ids: string[] = [];
  let listed = 0;
  for await (const { scheduleId, action } of client.schedule.list()) {
    if (action?.workflowType === WORKFLOW.imageFactory) ids.push(scheduleId);
    if (++listed >= LISTED_MAX || ids.length >= DESCRIBED_MAX) break;
  }
  const found: ScheduleDescription[] = [];
  for (const id of ids) {
    // The list lags behind: what was deleted may still be in it.
    const description = await describeSchedule(client.schedule.getHandle(id));
    if (description?.action.taskQueue === taskQueue) found.push(description);
  }
  return found;
}

/** What a schedule skipped; the server counts, but only its starts tell which nights. */
export async function skippedNights(
  client: Client,
  description: ScheduleDescription,
): Promise<SkippedNights> {
  const { info, scheduleId } = description;
  const starts = info.recentActions.map(({ scheduledAt }) => scheduledAt.getTime());
  const now = Date.now();
  const from = Math.max(
    now - WEEK_MS,
    info.createdAt.getTime(),
    // Before an update other times were meant; beyond the kept starts nothing is known.
    info.lastUpdatedAt?.getTime() ?? 0,
    starts.length >= KEPT_STARTS ? Math.min(...starts) : 0,
  );
  const times = await matchingTimes(client, scheduleId, from, now - LATE_MS);
  const missed = times.filter((time) => !starts.includes(time));
  return {
    overlap: info.numActionsSkippedOverlap,
    missedCatchUp: info.numActionsMissedCatchupWindow,
    nights: missed.map((time) => new Date(time)),
    last: missed.length > 0 && missed.at(-1) === times.at(-1),
  };
}

async function matchingTimes(
  client: Client,
  scheduleId: string,
  from: number,
  to: number,
): Promise<number[]> {
  if (to <= from) return [];
  const { startTime } = await client.workflowService.listScheduleMatchingTimes({
    namespace: client.options.namespace,
    scheduleId,
    startTime: msToTs(from),
    endTime: msToTs(to),
  });
  return (startTime ?? []).flatMap((time) => optionalTsToMs(time) ?? []);
}

/** The last starts of a schedule, each with how it ended. */
export async function scheduledRuns(
  client: Client,
  description: ScheduleDescription,
): Promise<ScheduledRun[]> {
  return Promise.all(
    description.info.recentActions.map(async ({ scheduledAt, action }) => {
      const { workflowId } = action.workflow;
      return { scheduledAt, workflowId, ...(await endOf(client, workflowId)) };
    }),
  );
}

async function endOf(client: Client, workflowId: string): Promise<Pick<ScheduledRun, 'status' | 'failure'>> {
  // By its id alone: after a continue-as-new the first execution's end is not the run's.
  const handle = client.workflow.getHandle(workflowId);
  try {
    const { status } = await handle.describe();
    if (status.name !== 'FAILED') return { status: status.name, failure: null };
    const failure = await handle.result().then(
      () => null,
      (error: unknown) => (error instanceof WorkflowFailedError ? failureOf(error) : null),
    );
    return { status: status.name, failure };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { status: null, failure: null };
    throw error;
  }
}

function failureOf({ cause }: WorkflowFailedError): ScheduledRun['failure'] {
  const type = cause instanceof ApplicationFailure ? cause.type : cause?.name;
  return { type: type ?? 'Error', message: messageOf(cause) };
}
