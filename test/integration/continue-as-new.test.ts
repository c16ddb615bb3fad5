import { mkdir, writeFile } from 'node:fs/promises';
import { Client, Connection, WorkflowFailedError } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { expect, inject, it, onTestFinished } from 'vitest';
import { createActivities } from '../../src/activities/index.js';
import { workflowEnd } from '../../src/cli/exit.js';
import { WORKFLOW } from '../../src/contract/names.js';
import type { RunResult } from '../../src/contract/outcome.js';
import { startTemporal } from '../../src/demo/services/temporal.js';
import { ensureSearchAttributes } from '../../src/temporal/search-attributes.js';
import { few, openFactory } from './factory.js';
import { all, record } from './history.js';
import { endOf, held, openScripted } from './scripted.js';

/** A server that asks for a new execution early, so that three pages are enough. */
async function impatientServer() {
  const server = await startTemporal({
    uiPort: false,
    dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': '30' },
  });
  onTestFinished(() => server.stop());
  const connection = await Connection.connect({ address: server.address });
  onTestFinished(() => connection.close());
  await ensureSearchAttributes(connection, 'default');
  return { address: server.address, connection };
}

it('a run of very many images goes on in further executions, and has one report over all', async () => {
  const factory = await openFactory({ images: few, withoutWorker: true });
  const { address, connection } = await impatientServer();
  const native = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection: native,
    taskQueue: 'many',
    workflowBundle: { codePath: inject('workflowBundle') },
    activities: createActivities(factory.dependencies),
  });
  const running = worker.run();
  onTestFinished(async () => {
    worker.shutdown();
    await running;
    await native.close();
  });

  // Two images that are there and 98 that are not: three pages.
  const templates = new URL(`file://${factory.directory}/templates/gather-scan/`);
  await mkdir(templates, { recursive: true });
  const missing = Array.from({ length: 98 }, (_, n) => `nobody/image-${n}:1`);
  await writeFile(new URL('many.yaml', templates), `extraImages: ${JSON.stringify(missing)}\n`);
  factory.dependencies.environment.templateDir = `${factory.directory}/templates`;

  const client = new Client({ connection });
  const input = { registry: factory.input.registry, gatherScanTemplate: 'many', scan: false };
  const handle = await client.workflow.start(WORKFLOW.imageFactory, {
    workflowId: 'many',
    taskQueue: 'many',
    args: [input],
  });
  const error = await handle.result().catch((reason: unknown) => reason);
  if (!(error instanceof WorkflowFailedError)) throw error;
  const result = workflowEnd(error).details as RunResult; // imageFactory's own detail
  expect(result.counts).toMatchObject({ mirrored: 2, unresolved: 98 });
  expect(result.runId).toBe(handle.firstExecutionRunId);

  const runs = await all(client.workflow.list({ query: "WorkflowId = 'many'" }));
  expect(runs.length).toBeGreaterThan(1);
  expect(runs.filter(({ status }) => status.name === 'CONTINUED_AS_NEW').length).toBe(runs.length - 1);
  const report = JSON.parse(String(await factory.evidence.get(`runs/${result.runId}/report.json`)));
  expect(report.images).toHaveLength(100);
  await record('image-factory.continued', handle, { address });
  await record('image-factory.continues', handle, { address, runId: handle.firstExecutionRunId });
});

it('a run that is cancelled just before it goes on in another execution ends there, with its report', async () => {
  const { address } = await impatientServer();
  const recording = held(({ page }: { page: number }) => ({ key: `outcomes/${page}` }));
  const { asked, temporal, workflowId, start } = await openScripted({
    address,
    pages: 5,
    activities: { recordOutcomes: recording.body },
  });
  const handle = await start();
  await recording.reached;
  await handle.cancel();
  recording.release();
  expect(await endOf(handle)).toMatchObject({ status: 'CANCELLED', outcome: 'cancelled' });
  expect(asked.filter(({ name }) => name === 'writeReport').map(({ task }) => task)).toMatchObject([
    { ended: { kind: 'cancelled' } },
  ]);
  expect(asked.filter(({ name }) => name === 'recordUnreached').length).toBeGreaterThan(0);
  const query = `WorkflowId = '${workflowId}'`;
  expect(await all(temporal.client.workflow.list({ query }))).toHaveLength(1);
});
