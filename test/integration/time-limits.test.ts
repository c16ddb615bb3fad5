import { expect, it } from 'vitest';
import { WORKFLOW } from '../../src/contract/names.js';
import { readDocument } from '../docs/document.js';
import { few, openFactory } from './factory.js';
import { childrenOf } from './history.js';

const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600 };

/** `30 s`, `1 h`; 0 for `no`. */
const secondsIn = (cell: string): number => {
  const [, amount, unit] = /^(\d+) ([smh])$/.exec(cell) ?? [];
  return Number(amount ?? 0) * (SECONDS[unit ?? ''] ?? 0);
};

/** The document's table: of each activity one attempt, heartbeat and all attempts, in seconds. */
async function documented(): Promise<Map<string, number[]>> {
  const text = await readDocument('docs/architecture.md');
  const rows = text.slice(text.indexOf('## Time limits and retries')).matchAll(/^\| `\w+` \| (.*) \|$/gm);
  const limits = new Map<string, number[]>();
  for (const [, row = ''] of rows) {
    const [activities = '', ...cells] = row.split(' | ');
    // Steps of the account are named short there: "resolve, discover".
    for (const [name] of activities.matchAll(/[a-zA-Z]+/g)) limits.set(name, cells.map(secondsIn));
  }
  return limits;
}

/** Names that stand short in the table. */
const SHORT: Record<string, string> = {
  resolveRun: 'resolve',
  discoverImages: 'discover',
  snapshotAccount: 'snapshot',
  updateAccount: 'update',
};

it('the time limits of a real run are those that the architecture names', async () => {
  const factory = await openFactory({ images: few, account: 'timeLimits' });
  const handle = await factory.start(WORKFLOW.imageFactory, {
    ...factory.input,
    gatherScanTemplate: 'default',
  });
  await handle.result().catch(() => undefined); // what the scan finds in the images is no matter here
  const { client } = factory.temporal;
  const ids = [handle.workflowId, ...(await childrenOf(handle)).map((child) => child.workflowId)];
  const seen = new Map<string, number[]>();
  for (const workflowId of ids) {
    const history = await client.workflow.getHandle(workflowId).fetchHistory();
    for (const event of history.events ?? []) {
      const scheduled = event.activityTaskScheduledEventAttributes;
      if (!scheduled) continue;
      const { startToCloseTimeout, heartbeatTimeout, scheduleToCloseTimeout } = scheduled;
      const limits = [startToCloseTimeout, heartbeatTimeout, scheduleToCloseTimeout];
      seen.set(
        scheduled.activityType?.name ?? '',
        limits.map((limit) => Number(limit?.seconds ?? 0)),
      );
    }
  }
  expect([...seen.keys()]).toEqual(
    expect.arrayContaining(['resolveRun', 'planPage', 'pushImage', 'updateAccount', 'writeReport']),
  );
  const table = await documented();
  for (const [activity, limits] of seen)
    expect({ activity, limits }).toEqual({ activity, limits: table.get(SHORT[activity] ?? activity) });
  expect(seen.get('writeReport')).toEqual([600, 15, 3600]);
});
