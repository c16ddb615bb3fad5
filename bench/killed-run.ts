import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Client, WorkflowFailedError } from '@temporalio/client';
import { workflowEnd } from '../src/cli/exit.js';
import { mirrorImageId, updateHarnessId, WORKFLOW } from '../src/contract/names.js';
import type { RunResult } from '../src/contract/outcome.js';
import type { FleetImage } from '../src/demo/fleet/fleet.js';
import type { PublishedDatabase } from '../src/demo/fleet/publish.js';
import { startHarnessSimulator } from '../src/demo/harness-simulator/index.js';
import { formatReference, parseReference } from '../src/registry/reference.js';
import { type Report, reportSchema } from '../src/report/schema.js';
import { startFaultyProxy } from '../test/faults/proxy.js';

/** What all runs share. */
export interface Place {
  client: Client;
  /** `host:port`, as the registries. */
  temporal: string;
  source: string;
  target: string;
  databases: PublishedDatabase;
  directory: string;
  fleet: readonly FleetImage[];
}

export interface KilledRun {
  workers: number;
  scan: boolean;
  /** When each kill came, in seconds since the run began. */
  kills: number[];
  /** Activities that needed more than one attempt. */
  repeated: number;
  /** How the run ended: `success` or its failure's type. */
  type: string;
  /** Images that the report calls good and `crane` validates. */
  verified: number;
  /** Images that the report does not call good. */
  told: number;
  seconds: number;
  /** Where the report and what is there differ. */
  faults: string[];
}

const GOOD = new Set(['mirrored', 'unchanged', 'rescanned']);
const WORKER = fileURLToPath(new URL('../src/worker.ts', import.meta.url));

const validate = (reference: string): Promise<unknown> =>
  promisify(execFile)('crane', ['validate', '--remote', reference], { timeout: 60_000 });

/** One run with an account, workers, stores and a part of the registry of its own. */
export async function killedRun(place: Place, number: number, random: () => number): Promise<KilledRun> {
  const { client, fleet } = place;
  const account = `kills${number}`;
  const apiKey = `pat.${account}.token.bench`;
  const registry = `${place.target}/run-${number}`;
  const directory = join(place.directory, String(number));
  const defaults = Object.fromEntries(
    fleet.flatMap((image) => image.fields.map((field) => [field, `${image.repository}:${image.tag}`])),
  );
  const harness = await startHarnessSimulator({
    ...{ account, apiKey, defaults: { K8: defaults } },
    connectors: [{ identifier: 'harnessImage', dockerRegistryUrl: `http://${place.target}` }],
  });
  const door = await startFaultyProxy(new URL(harness.url).host);
  const faults: string[] = [];
  door.watch(async ({ path, body }) => {
    if (!path.endsWith('/update-config')) return;
    // What our client sends; its shape is the simulator's to check.
    for (const { value } of JSON.parse(body) as { value: string }[])
      await validate(value).catch(() => faults.push(`the account was set to ${value}, which is not whole`));
  });
  const env = (worker: number): Record<string, string> => ({
    PATH: process.env.PATH ?? '',
    HOME: directory,
    TEMPORAL_ADDRESS: place.temporal,
    TEMPORAL_TASK_QUEUE: account,
    SOURCE_REGISTRY: place.source,
    HARNESS_API_KEY: apiKey,
    HARNESS_URL: `http://${door.host}/gateway`,
    REPORT_DIR: join(directory, 'reports'),
    CONTENT_DIR: join(directory, `content-${worker}`),
    TRIVY_CACHE_DIR: join(directory, `trivy-${worker}`),
    TRIVY_DB_REPOSITORY: place.databases.dbRepository,
    TRIVY_JAVA_DB_REPOSITORY: place.databases.javaDbRepository,
  });
  const workers = random() < 0.5 ? 1 : 2;
  const scan = random() < 0.5;
  const planned = Array.from({ length: 1 + Math.floor(random() * 4) }, () => ({
    worker: Math.floor(random() * workers),
    afterMs: random() ** 2 * 8_000,
    backAfterMs: random() * 2_000,
  }));
  const alive = await Promise.all(Array.from({ length: workers }, (_, worker) => startWorker(env(worker))));
  try {
    const began = performance.now();
    const run = await client.workflow.start(WORKFLOW.imageFactory, {
      workflowId: account,
      taskQueue: account,
      args: [{ registry, registryConnector: 'account.harnessImage', modifyDefault: true, scan }],
    });
    const ended = endOf(run);
    const kills: number[] = [];
    for (const { worker, afterMs, backAfterMs } of planned) {
      // Time is what this bench is about: a kill may come at any moment.
      const over = await Promise.race([ended.then(() => true), delay(afterMs, false)]);
      if (over) break;
      await alive[worker]?.kill();
      kills.push((performance.now() - began) / 1000);
      await delay(backAfterMs);
      alive[worker] = await startWorker(env(worker));
    }
    const { type, result } = await ended;
    const seconds = Math.round((performance.now() - began) / 1000);
    const report = reportSchema.parse(JSON.parse(await readFile(result.report?.json ?? '', 'utf8')));
    const verified = await compare(report, place, harness.state.overrides.K8, type, faults);
    const ids = fleet.map(({ repository, tag }) =>
      mirrorImageId(formatReference(parseReference(`${registry}/${repository}:${tag}`))),
    );
    const repeated = await repeatedSteps(client, [account, updateHarnessId(account, 'K8'), ...ids]);
    const told = report.images.filter(({ outcome }) => !GOOD.has(outcome.kind)).length;
    return { workers, scan, kills, repeated, type, verified, told, seconds, faults };
  } finally {
    await Promise.all(alive.map((worker) => worker.kill()));
    await door.stop();
    await harness.stop();
  }
}

/** @returns how many images are as the report says that they are, by `crane`. */
async function compare(
  report: Report,
  { fleet }: Place,
  fields: Record<string, string>,
  type: string,
  faults: string[],
): Promise<number> {
  const good = report.images.filter(({ outcome }) => GOOD.has(outcome.kind));
  let verified = 0;
  for (const { target } of good) {
    await validate(target ?? '').then(
      () => verified++,
      () => faults.push(`${target} is reported as good and is not whole`),
    );
  }
  for (const { repository, tag } of fleet) {
    if (!report.images.some(({ image }) => image === `${repository}:${tag}`))
      faults.push(`${repository}:${tag} is lost: not in the report`);
  }
  const targets = new Set(good.map(({ target }) => target));
  for (const [field, value] of Object.entries(fields))
    if (!targets.has(value)) faults.push(`${field} is set to ${value}, which is not reported as good`);
  for (const { field } of good.flatMap((image) => image.fields))
    if (fields[field] === undefined && report.accounts.every(({ kind }) => kind === 'updated'))
      faults.push(`${field} is reported as set and is not`);
  if ((type === 'success') !== report.verdict.ok) faults.push(`the run ended ${type}, the report differs`);
  return verified;
}

async function repeatedSteps(client: Client, workflowIds: readonly string[]): Promise<number> {
  const histories = await Promise.all(
    workflowIds.map((id) =>
      client.workflow
        .getHandle(id)
        .fetchHistory()
        .catch(() => undefined),
    ),
  );
  return histories
    .flatMap((history) => history?.events ?? [])
    .filter((event) => (event.activityTaskStartedEventAttributes?.attempt ?? 0) > 1).length;
}

async function endOf(run: { result(): Promise<RunResult> }): Promise<{ type: string; result: RunResult }> {
  try {
    return { type: 'success', result: await run.result() };
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { type, details } = workflowEnd(error);
    if (details === undefined) throw error;
    return { type, result: details as RunResult }; // what imageFactory adds to its failure
  }
}

/** The product's worker as a process of its own; settles when it polls. */
async function startWorker(env: Record<string, string>): Promise<{ kill(): Promise<void> }> {
  const child = spawn(process.execPath, ['--import', 'tsx', WORKER], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  for await (const line of createInterface({ input: child.stderr })) {
    if (line.includes('worker is ready')) break;
  }
  child.stderr.resume();
  if (child.exitCode !== null) throw new Error(`a worker ended with ${child.exitCode} as it started`);
  return {
    kill: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}
