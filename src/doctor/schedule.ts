import type { Client, ScheduleDescription } from '@temporalio/client';
import { connectTemporal } from '../cli/connection.js';
import { factorySchedules, scheduledRuns, skippedNights } from '../temporal/schedules.js';
import { type Finding, notChecked, ok, warn } from './finding.js';

/** How a run may end at which nobody need look. */
const FINE = new Set(['COMPLETED', 'RUNNING', 'CONTINUED_AS_NEW']);

/** Whether the last night's run took place and went well, for every schedule of the task queue. */
export async function checkSchedules(env: NodeJS.ProcessEnv): Promise<Finding> {
  const temporal = await connectTemporal(env).catch(() => undefined);
  // That it does not answer is said once, by the check of Temporal itself.
  if (temporal === undefined) return notChecked('no Temporal server answers');
  const { client, taskQueue, close } = temporal;
  try {
    const findings: Finding[] = [];
    for (const description of await factorySchedules(client, taskQueue)) {
      findings.push(await examineSchedule(client, description));
    }
    if (findings.length === 0) return ok('there is none: runs start by hand only');
    const found = findings.map((finding) => finding.found).join('; ');
    const mends = findings.flatMap((finding) => (finding.status === 'ok' ? [] : [finding.mend]));
    return mends.length === 0 ? ok(found) : warn(found, mends.join('; '));
  } finally {
    await close();
  }
}

async function examineSchedule(client: Client, description: ScheduleDescription): Promise<Finding> {
  const { scheduleId, info, state } = description;
  const look = `image-factory schedule show --schedule-id ${scheduleId}`;
  if (state.paused) {
    return warn(
      `${scheduleId} is paused${state.note ? ` (${state.note})` : ''}`,
      `temporal schedule toggle --unpause --schedule-id ${scheduleId}`,
    );
  }
  const { nights, last } = await skippedNights(client, description);
  if (last) {
    const going = info.runningActions.map(({ workflow }) => workflow.workflowId);
    return warn(
      `${scheduleId} started nothing at ${nights.at(-1)?.toISOString()}${going.length > 0 ? `; ${going.join(', ')} is still going` : ''}`,
      `see why: ${look}`,
    );
  }
  const run = (await scheduledRuns(client, description)).at(-1);
  const next = info.nextActionTimes[0]?.toISOString() ?? 'never';
  const skipped = nights.length > 0 ? `, ${nights.length} skipped in the last week` : '';
  if (run === undefined) return ok(`${scheduleId} runs next ${next}${skipped}`);
  if (run.status === null || FINE.has(run.status)) {
    return ok(`${scheduleId}: last ${run.status?.toLowerCase() ?? 'not kept'}, next ${next}${skipped}`);
  }
  const why = run.failure === null ? '' : `: ${run.failure.type}: ${run.failure.message}`;
  return warn(
    `${scheduleId}: ${run.workflowId} ${run.status.toLowerCase()}${why}`,
    `see the report, or ${look}`,
  );
}
