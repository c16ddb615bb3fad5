import { setTimeout as delay } from 'node:timers/promises';
import type { ScheduleDescription, ScheduleHandle } from '@temporalio/client';
import type { TemporalClient } from '../connection.js';
import { CliExit, EXIT } from '../exit.js';
import { self } from '../self.js';
import type { Terminal } from '../terminal.js';
import { missingWorkerHint } from '../workers.js';

/** The server carries a trigger out by itself, within a second or so. */
const TAKEN_WITHIN_MS = 15_000;

/** Triggers a schedule and tells what came of it. @throws CliExit 3 when the server does nothing about it in time */
export async function runScheduleNow(
  temporal: TemporalClient,
  handle: ScheduleHandle,
  before: ScheduleDescription,
  json: boolean,
  terminal: Terminal,
): Promise<void> {
  await handle.trigger('SKIP');
  const started = await startedBy(handle, before);
  if (json) return terminal.json({ scheduleId: handle.scheduleId, started });
  if (started === null) {
    const going = before.info.runningActions.map(({ workflow }) => workflow.workflowId);
    return terminal.line(`skipped: a run is going${going.length > 0 ? ` (${going.join(', ')})` : ''}`);
  }
  terminal.line(`started ${started}; look at it with: ${self()} status --workflow-id ${started}`);
  const hint = await missingWorkerHint(temporal);
  if (hint) terminal.error(hint);
}

/** The workflow id of what the trigger started; null when it was skipped. */
async function startedBy(handle: ScheduleHandle, { info }: ScheduleDescription): Promise<string | null> {
  const end = Date.now() + TAKEN_WITHIN_MS;
  while (Date.now() < end) {
    const { info: now } = await handle.describe();
    if (now.numActionsTaken > info.numActionsTaken) {
      return now.recentActions.at(-1)?.action.workflow.workflowId ?? null;
    }
    if (now.numActionsSkippedOverlap > info.numActionsSkippedOverlap) return null;
    await delay(100); // there is no event for it
  }
  throw new CliExit(
    EXIT.unreachable,
    `the server took the trigger of ${handle.scheduleId} and did nothing within ${TAKEN_WITHIN_MS / 1000} s: look with ${self()} schedule show`,
  );
}
