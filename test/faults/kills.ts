import { existsSync } from 'node:fs';
import type { WorkflowHandle } from '@temporalio/client';
import { startWorkerProcess, type WorkerProcess } from '../integration/worker-process.js';
import { layerOf } from './loss.js';
import type { Seen } from './proxy.js';
import { appears, type PendingActivity, type World } from './world.js';

/** A moment in a run at which its worker is killed. */
export interface KillPoint {
  name: string;
  /** The activity that it is to land in. */
  in: string;
  /** Calls `kill` when the moment has come; settles after it. */
  when(world: World, kill: (seen?: Seen) => Promise<void>, run: WorkflowHandle): Promise<void>;
}

export interface Kill {
  point: KillPoint;
  /** Running activities at that moment, by what the server knew. */
  running: PendingActivity[];
}

type Door = 'source' | 'target' | 'account';

/** The moment a request arrives; it is never carried out. */
export const before = (door: Door, method: string, url: RegExp, within: string): KillPoint => ({
  name: `${method} ${readable(url)} arrives at the ${door}`,
  in: within,
  when: (world, kill) => world[door].meet({ method, url }, kill),
});

/** The moment a program of the worker's asks for something: it is answered, and ends with its worker. */
export const askedByTrivy = (door: Door, method: string, url: RegExp, within: string): KillPoint => ({
  name: `${method} ${readable(url)} arrives at the ${door}, from Trivy`,
  in: within,
  when: (world, kill) => world[door].meet({ method, url }, () => kill()),
});

/** The moment a request was carried out; its answer is lost. */
export const after = (door: Door, method: string, url: RegExp, within: string): KillPoint => ({
  name: `${method} ${readable(url)} was carried out by the ${door}, and its answer is lost`,
  in: within,
  when: (world, kill) => world[door].meet({ method, url, after: true }, kill),
});

/** The moment the source has sent a layer. Its configs, which a build reads, are blobs too. */
export const afterLayer: KillPoint = {
  name: 'GET of a layer was carried out by the source, and its answer is lost',
  in: 'pushImage',
  when: (world, kill) =>
    world.source.meet({ method: 'GET', url: new RegExp(layerOf(world)), after: true }, kill),
};

/** The moment the update has read the account and not yet changed it: between snapshot and update. */
export const beforeUpdate: KillPoint = {
  name: 'the snapshot is taken and the update reads the account',
  in: 'updateAccount',
  when: async (world, kill, run) => {
    const snapshot = world.evidence(`runs/${await runIdOf(run)}/account-K8-before.json`);
    await world.account.meet(
      { method: 'GET', url: /\/get-customer-config\?/, only: () => existsSync(snapshot) },
      kill,
    );
  },
};

/** The moment a file or folder is there. */
export const file = (
  name: string,
  path: (world: World, runId: string) => string,
  within: string,
): KillPoint => ({
  name: `${name} appears`,
  in: within,
  when: async (world, kill, run) => {
    await appears(path(world, await runIdOf(run)));
    await kill();
  },
});

const readable = (url: RegExp): string => url.source.replaceAll(/\\|\$$/g, '');

const runIdOf = async (run: WorkflowHandle): Promise<string> => (await run.describe()).runId;

/**
 * Kills a run's worker at each point, one after the other, and puts a new worker in its place each time. Points must come
 * in the order in which a run meets them.
 */
export async function killAt(
  world: World,
  points: readonly KillPoint[],
  changes: object = {},
): Promise<{ run: WorkflowHandle; kills: Kill[] }> {
  const kills: Kill[] = [];
  const run = await world.start(changes);
  for (const point of points) {
    let worker: Promise<WorkerProcess> | undefined;
    // Watched for before there is a worker, so that nothing can come too early.
    const killed = point.when(
      world,
      async (seen) => {
        await (await worker)?.kill9();
        await seen?.gone();
        kills.push({ point, running: (await world.pending(run)).filter(({ started }) => started) });
      },
      run,
    );
    worker = startWorkerProcess(world.env);
    await killed;
  }
  await startWorkerProcess(world.env);
  return { run, kills };
}

/** Kills after which a later attempt of an activity that was running had to do its work again. */
export async function landed(world: World, run: WorkflowHandle, kills: readonly Kill[]): Promise<Kill[]> {
  const attempts = new Map<string, number>();
  for (const workflowId of world.workflowIds(run)) {
    const handle = world.factory.temporal.client.workflow.getHandle(workflowId);
    const history = await handle.fetchHistory().catch(() => undefined);
    const ids = new Map<string, string>();
    for (const event of history?.events ?? []) {
      const scheduled = event.activityTaskScheduledEventAttributes;
      if (scheduled) ids.set(String(event.eventId), `${workflowId} ${scheduled.activityId}`);
      const started = event.activityTaskStartedEventAttributes;
      const id = ids.get(String(started?.scheduledEventId));
      if (started && id !== undefined) attempts.set(id, started.attempt ?? 0);
    }
  }
  return kills.filter(({ point, running }) =>
    running.some(
      ({ workflowId, activityId, type, attempt }) =>
        type === point.in && (attempts.get(`${workflowId} ${activityId}`) ?? 0) > attempt,
    ),
  );
}
