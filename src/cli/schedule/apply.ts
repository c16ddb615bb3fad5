import type { Command } from 'commander';
import { FactoryError } from '../../common/errors.js';
import { type AppliedSchedule, applySchedule } from '../../temporal/apply-schedule.js';
import { DEFAULT_SCHEDULE_ID } from '../../temporal/schedules.js';
import { withTemporal } from '../connection.js';
import { addInputFlags, inputFromFlags } from '../input-flags.js';
import { assertInput } from '../start.js';
import { processTerminal, type Terminal } from '../terminal.js';

interface ApplyOptions {
  cron: string[];
  timeZone: string;
  scheduleId: string;
  catchUp: string;
  executionTimeout: string;
  json?: boolean;
}

const OWN = ['cron', 'timeZone', 'scheduleId', 'catchUp', 'executionTimeout'];

/** `image-factory schedule apply`: makes the schedule what the flags say. */
export function addScheduleApply(schedule: Command): void {
  const command = schedule
    .command('apply')
    .description('make the schedule what the flags say, whole; a paused one stays paused')
    .requiredOption('--cron <expression>', 'when, e.g. "0 4 * * *"; may be given more than once', collect)
    .requiredOption('--time-zone <name>', 'IANA name, e.g. Europe/Berlin')
    .option('--schedule-id <id>', 'the schedule’s id', DEFAULT_SCHEDULE_ID)
    .option('--catch-up <time>', 'how late a run may start when the server was away', '6h')
    .option('--execution-timeout <time>', 'when the server ends a run that did not end itself', '10h')
    .option('--dry-run', 'plan only, each time')
    .option('--json', 'print what changed as JSON');
  addInputFlags(command).action(async (options: ApplyOptions) => {
    const input = inputFromFlags(command, OWN);
    assertInput(input);
    assertTimeZone(options.timeZone);
    const { cron, timeZone, scheduleId } = options;
    const catchUpMs = milliseconds('--catch-up', options.catchUp);
    const executionTimeoutMs = milliseconds('--execution-timeout', options.executionTimeout);
    await withTemporal(async ({ client, taskQueue }) => {
      const settings = { scheduleId, cron, timeZone, catchUpMs, executionTimeoutMs, taskQueue, input };
      const applied = await applySchedule(client, settings);
      print(scheduleId, applied, options.json === true, processTerminal());
    });
  });
}

function print(scheduleId: string, applied: AppliedSchedule, json: boolean, terminal: Terminal): void {
  const { outcome, changes, description } = applied;
  const { paused, note } = description.state;
  const [next] = description.info.nextActionTimes;
  if (json) {
    terminal.json({ scheduleId, outcome, changes, paused, next: next ?? null });
    return;
  }
  terminal.line(`${scheduleId}: ${outcome}`);
  for (const { name, from, to } of changes) terminal.line(`  ${name}: ${from ?? 'none'} → ${to ?? 'none'}`);
  if (paused) terminal.line(`paused${note ? ` (${note})` : ''}: nothing runs until it is unpaused`);
  else terminal.line(next === undefined ? 'it never runs' : `next run: ${next.toISOString()}`);
}

const collect = (value: string, before: string[] = []): string[] => [...before, value];

/** Catches slips before anything is asked; the server, which has the last word, knows no other spelling of a name. */
function assertTimeZone(name: string): void {
  try {
    if (!/^[+-]/.test(name)) {
      new Intl.DateTimeFormat('en', { timeZone: name });
      return;
    }
  } catch {
    // said below
  }
  throw new FactoryError('InvalidInput', '--time-zone takes an IANA name such as Europe/Berlin or UTC');
}

const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function milliseconds(flag: string, text: string): number {
  const [, count, unit = ''] = /^([1-9]\d{0,5})([smhd])$/.exec(text) ?? [];
  const ms = Number(count) * (UNITS[unit] ?? Number.NaN);
  if (Number.isNaN(ms)) throw new FactoryError('InvalidInput', `${flag} takes a time such as 90m, 6h or 1d`);
  return ms;
}
