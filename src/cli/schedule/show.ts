import type { Client, ScheduleDescription } from '@temporalio/client';
import { factsOf } from '../../temporal/schedule-facts.js';
import {
  type ScheduledRun,
  type SkippedNights,
  scheduledRuns,
  skippedNights,
} from '../../temporal/schedules.js';
import { type Terminal, table } from '../terminal.js';

/** So many of the next times are shown to people. */
const NEXT_SHOWN = 3;

/** Prints a schedule: when, what, what is next, what was, what was not. */
export async function showSchedule(
  client: Client,
  description: ScheduleDescription,
  json: boolean,
  terminal: Terminal,
): Promise<void> {
  const { scheduleId, info } = description;
  const { paused, note } = description.state;
  const [runs, skipped] = await Promise.all([
    scheduledRuns(client, description),
    skippedNights(client, description),
  ]);
  const settings = factsOf(description);
  if (json) {
    return terminal.json({ scheduleId, paused, settings, next: info.nextActionTimes, runs, skipped });
  }
  terminal.line(`${scheduleId}: ${paused ? `paused${note ? ` (${note})` : ''}` : 'active'}`);
  const rows = Object.entries(settings).map(([name, value]) => [name, value]);
  for (const line of table(rows, terminal.columns - 2)) terminal.line(`  ${line}`);
  const next = info.nextActionTimes.slice(0, NEXT_SHOWN).map((time) => time.toISOString());
  terminal.line(`next: ${paused ? 'none while it is paused' : next.join(', ') || 'none'}`);
  terminal.line(runs.length > 0 ? 'last runs:' : 'last runs: none');
  for (const line of table(runs.map(runRow), terminal.columns - 2)) terminal.line(`  ${line}`);
  for (const line of skippedLines(skipped)) terminal.line(terminal.paint('yellow', line));
}

function runRow({ scheduledAt, workflowId, status, failure }: ScheduledRun): string[] {
  const end = status === null ? 'no longer kept' : status.toLowerCase().replaceAll('_', ' ');
  return [
    scheduledAt.toISOString(),
    workflowId,
    failure === null ? end : `${end}: ${failure.type}: ${failure.message}`,
  ];
}

function skippedLines({ overlap, missedCatchUp, nights }: SkippedNights): string[] {
  const lines: string[] = [];
  if (overlap > 0) lines.push(`skipped since a run was still going: ${overlap}`);
  if (missedCatchUp > 0) lines.push(`missed since the server was away too long: ${missedCatchUp}`);
  if (nights.length > 0) {
    lines.push(
      `nothing started in the last week at: ${nights.map((night) => night.toISOString()).join(', ')}`,
    );
  }
  return lines;
}
