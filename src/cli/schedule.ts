import type { ScheduleDescription, ScheduleHandle } from '@temporalio/client';
import type { Command } from 'commander';
import { describeSchedule } from '../temporal/apply-schedule.js';
import { DEFAULT_SCHEDULE_ID } from '../temporal/schedules.js';
import { withTemporal } from './connection.js';
import { CliExit, EXIT } from './exit.js';
import { addScheduleApply } from './schedule/apply.js';
import { runScheduleNow } from './schedule/run.js';
import { showSchedule } from './schedule/show.js';
import { self } from './self.js';
import { processTerminal } from './terminal.js';

interface ScheduleOptions {
  scheduleId: string;
  json?: boolean;
}

/** `image-factory schedule`: runs that start by the clock. */
export function addScheduleCommand(program: Command): void {
  const schedule = program.command('schedule').description('runs that start by the clock');
  addScheduleApply(schedule);
  named(schedule, 'show', 'show when it runs, how its last runs ended, and what was skipped')
    .option('--json', 'print it as JSON')
    .action(({ scheduleId, json }: ScheduleOptions) =>
      withTemporal(async ({ client }) => {
        const description = await existing(client.schedule.getHandle(scheduleId));
        await showSchedule(client, description, json === true, processTerminal());
      }),
    );
  named(schedule, 'run', 'start a run now, unless one is going')
    .option('--json', 'print what was started as JSON')
    .action(({ scheduleId, json }: ScheduleOptions) =>
      withTemporal(async (temporal) => {
        const handle = temporal.client.schedule.getHandle(scheduleId);
        await runScheduleNow(temporal, handle, await existing(handle), json === true, processTerminal());
      }),
    );
  named(schedule, 'delete', 'remove it; a run that is going goes on').action(
    ({ scheduleId }: ScheduleOptions) =>
      withTemporal(async ({ client }) => {
        const handle = client.schedule.getHandle(scheduleId);
        await existing(handle);
        await handle.delete();
        processTerminal().line(`deleted ${scheduleId}`);
      }),
  );
}

const named = (schedule: Command, name: string, description: string): Command =>
  schedule
    .command(name)
    .description(description)
    .option('--schedule-id <id>', 'the schedule’s id', DEFAULT_SCHEDULE_ID);

/** @throws CliExit 2 when there is none */
async function existing(handle: ScheduleHandle): Promise<ScheduleDescription> {
  const description = await describeSchedule(handle);
  if (description !== undefined) return description;
  throw new CliExit(
    EXIT.badInput,
    `there is no schedule ${handle.scheduleId}: make one with ${self()} schedule apply`,
  );
}
