import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { onTestFinished } from 'vitest';
import { temporaryDirectory } from '../support/directory.js';
import { openTemporal, type TemporalFixture } from '../support/temporal.js';
import { cli } from './cli-process.js';

/** A schedule id and a task queue that no other test has, and the command line as a person has it. */
export async function scheduler(given?: TemporalFixture) {
  const temporal = given ?? (await openTemporal());
  const id = `nightly-${randomUUID()}`;
  const handle = temporal.client.schedule.getHandle(id);
  onTestFinished(async () => {
    await handle.delete().catch(() => undefined); // most tests leave one
    if (given === undefined) await temporal.close();
  });
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: await temporaryDirectory(),
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_TASK_QUEUE: temporal.taskQueue,
  };
  const run = (...args: string[]) => cli(args, env);
  return {
    ...{ temporal, id, handle, env, run },
    schedule: (verb: string, ...args: string[]) => run('schedule', verb, '--schedule-id', id, ...args),
  };
}

/** A client of another server than the tests' shared one; it ends with the test. */
export async function connectTo(address: string): Promise<Client> {
  const connection = await Connection.connect({ address });
  onTestFinished(() => connection.close());
  return new Client({ connection });
}
