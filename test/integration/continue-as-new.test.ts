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

it('a run of very many images goes on in further executions, and has one report over all', async () => {
  const factory = await openFactory({ images: few, withoutWorker: true });
  // A server that asks for a new execution early, so that three pages are enough.
  const server = await startTemporal({
    uiPort: false,
    dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': '30' },
  });
  const connection = await Connection.connect({ address: server.address });
  const native = await NativeConnection.connect({ address: server.address });
  await ensureSearchAttributes(connection, 'default');
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
    await Promise.all([native.close(), connection.close()]);
    await server.stop();
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
  await record('image-factory.continued', handle, server.address);
});
