import {
  type Client,
  ScheduleAlreadyRunning,
  type ScheduleDescription,
  type ScheduleHandle,
  ScheduleNotFoundError,
} from '@temporalio/client';
import { FactoryError, messageOf } from '../common/errors.js';
import type { RunInput } from '../contract/input.js';
import { DEFAULT_WORKFLOW_ID, WORKFLOW } from '../contract/names.js';
import { canonicalCron } from './cron.js';
import {
  type Change,
  changesBetween,
  factsOf,
  factsOfOptions,
  type ScheduleParts,
} from './schedule-facts.js';

/** What a person decides about a schedule of runs; all else is fixed here. */
export interface ScheduleSettings {
  scheduleId: string;
  cron: string[];
  /** IANA name. */
  timeZone: string;
  /** How late a run may start when the server was away. */
  catchUpMs: number;
  /** When the server ends a run that did not end itself. */
  executionTimeoutMs: number;
  taskQueue: string;
  /** Checked by `checkInput`. */
  input: RunInput;
}

export interface AppliedSchedule {
  outcome: 'created' | 'updated' | 'unchanged';
  /** What was put right in a schedule that stood. */
  changes: Change[];
  description: ScheduleDescription;
}

export const SCHEDULE_SUMMARY = 'mirror the CI images';
export const SCHEDULE_NOTE = 'copies of the CI images';

/**
 * Makes a schedule what the settings say, whole: what somebody changed by hand is put back, but for pausing, which
 * stays with its note. Doing it again changes nothing.
 *
 * @throws FactoryError `InvalidInput` with the server's words when it can't read a cron expression or the time zone
 */
export async function applySchedule(client: Client, settings: ScheduleSettings): Promise<AppliedSchedule> {
  const handle = client.schedule.getHandle(settings.scheduleId);
  const standing = await describeSchedule(handle);
  if (standing === undefined) {
    try {
      await accepted(() => client.schedule.create({ ...wanted(settings), scheduleId: settings.scheduleId }));
      return { outcome: 'created', changes: [], description: await handle.describe() };
    } catch (error) {
      // Somebody else was faster.
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    }
  }
  const before = standing ?? (await handle.describe());
  const when = settings.cron.map(canonicalCron);
  // Only where every expression could be read here; the server's reading decides about the others.
  const foreseen = when.every((text) => text !== undefined)
    ? factsOfOptions(when, wanted(settings, before))
    : undefined;
  if (foreseen !== undefined && changesBetween(factsOf(before), foreseen).length === 0) {
    return { outcome: 'unchanged', changes: [], description: before };
  }
  await accepted(() => handle.update((now) => wanted(settings, now)));
  const description = await handle.describe();
  const changes = changesBetween(factsOf(before), factsOf(description));
  return { outcome: changes.length > 0 ? 'updated' : 'unchanged', changes, description };
}

/** A schedule as it stands; undefined when there is none. */
export async function describeSchedule(handle: ScheduleHandle): Promise<ScheduleDescription | undefined> {
  try {
    return await handle.describe();
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return undefined;
    throw error;
  }
}

function wanted(settings: ScheduleSettings, standing?: ScheduleDescription): ScheduleParts {
  const { cron, timeZone, catchUpMs, executionTimeoutMs, taskQueue, input } = settings;
  const paused = standing?.state.paused === true;
  const note = paused ? standing.state.note : SCHEDULE_NOTE;
  return {
    spec: { cronExpressions: cron, timezone: timeZone },
    action: {
      type: 'startWorkflow',
      workflowType: WORKFLOW.imageFactory,
      // The server appends the time, so what must be single is single by the ids of children.
      workflowId: DEFAULT_WORKFLOW_ID,
      taskQueue,
      args: [input],
      workflowExecutionTimeout: executionTimeoutMs,
      staticSummary: SCHEDULE_SUMMARY,
    },
    policies: { overlap: 'SKIP', catchupWindow: catchUpMs, pauseOnFailure: false },
    state: { paused, ...(note === undefined ? {} : { note }) },
  };
}

/** The SDK throws a TypeError where the server calls the specification invalid. */
async function accepted<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new FactoryError(
      'InvalidInput',
      `the Temporal server refuses the schedule: ${messageOf(error)}; check --cron and --time-zone`,
      { cause: error },
    );
  }
}
