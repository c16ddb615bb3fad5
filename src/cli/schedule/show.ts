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
  const at = clockOf(description.spec.timezone || 'UTC');
  const next = info.nextActionTimes.slice(0, NEXT_SHOWN).map(at);
  terminal.line(`next: ${paused ? 'none while it is paused' : next.join(', ') || 'none'}`);
  terminal.line(runs.length > 0 ? 'last runs:' : 'last runs: none');
  for (const line of table(
    runs.map((run) => runRow(run, at)),
    terminal.columns - 2,
  ))
    terminal.line(`  ${line}`);
  for (const line of skippedLines(skipped, at)) terminal.line(terminal.paint('yellow', line));
}

type Clock = (time: Date) => string;

/** Times as the schedule means them, with the name of its time zone; in UTC where this machine does not know the zone. */
function clockOf(timeZone: string): Clock {
  const format = (zone: string) =>
    new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' }); // as ISO 8601 writes them
  try {
    const local = format(timeZone);
    return (time) => `${local.format(time)} ${timeZone}`;
  } catch {
    const utc = format('UTC');
    return (time) => `${utc.format(time)} UTC`;
  }
}

function runRow({ scheduledAt, workflowId, status, failure }: ScheduledRun, at: Clock): string[] {
  const end = status === null ? 'no longer kept' : status.toLowerCase().replaceAll('_', ' ');
  return [
    at(scheduledAt),
    workflowId,
    failure === null ? end : `${end}: ${failure.type}: ${failure.message}`,
  ];
}

function skippedLines({ overlap, missedCatchUp, nights }: SkippedNights, at: Clock): string[] {
  const lines: string[] = [];
  if (overlap > 0) lines.push(`skipped since a run was still going: ${overlap}`);
  if (missedCatchUp > 0) lines.push(`missed since the server was away too long: ${missedCatchUp}`);
  if (nights.length > 0) {
    lines.push(`nothing started in the last week at: ${nights.map(at).join(', ')}`);
  }
  return lines;
}
