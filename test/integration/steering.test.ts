import { WorkflowFailedError, WorkflowUpdateFailedError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { workflowEnd } from '../../src/cli/exit.js';
import { mirrorImageId, PROGRESS_QUERY, WORKFLOW } from '../../src/contract/names.js';
import type { RunResult } from '../../src/contract/outcome.js';
import type { RunProgress } from '../../src/contract/progress.js';
import { type SteeringState, UPDATE } from '../../src/contract/steering.js';
import { ref } from '../support/images.js';
import { openFactory } from './factory.js';
import { all, record } from './history.js';
import { holdUploads } from './slow-registry.js';

const NAMES = ['harness/ci-addon:1.16.92', 'harness/drone-git:1.6.9-rootless', 'plugins/cache:1.9.8'];

/** A run of three images, one at a time, held in its first upload. */
async function heldRun(options: { workflowExecutionTimeout?: string } = {}) {
  const factory = await openFactory({
    images: ({ repository, tag }) => NAMES.includes(`${repository}:${tag}`),
  });
  const held = await holdUploads(factory.target.host);
  const { client, taskQueue, uniqueId } = factory.temporal;
  const input = { registry: `${held.host}/ci`, scan: false, maxConcurrency: 1 };
  const handle = await client.workflow.start(WORKFLOW.imageFactory, {
    workflowId: uniqueId('steered'),
    taskQueue,
    args: [input],
    ...options,
  } as Parameters<typeof client.workflow.start>[1]); // the timeout's text form is checked by the SDK
  await held.firstUpload;
  return { factory, held, handle };
}

describe('a person', () => {
  it('pauses a run: what is in work ends, nothing new starts, until it is resumed', async () => {
    const { factory, held, handle } = await heldRun();
    const paused = await handle.executeUpdate<SteeringState, []>(UPDATE.pause);
    expect(paused).toEqual({ version: 1, paused: true, maxConcurrency: 1, running: 1 });
    held.release();
    await expect
      .poll(async () => (await handle.query<RunProgress>(PROGRESS_QUERY)).running, { timeout: 20_000 })
      .toEqual([]);
    const rest = await handle.query<RunProgress>(PROGRESS_QUERY);
    expect(rest).toMatchObject({ phase: 'mirror', paused: true, counts: { mirrored: 1 } });
    const resumed = await handle.executeUpdate<SteeringState, []>(UPDATE.resume);
    expect(resumed.paused).toBe(false);
    const result: RunResult = await handle.result();
    expect(result.counts.mirrored).toBe(3);
    await record('image-factory.paused', handle);
    expect(factory.fleet).toHaveLength(3);
  });

  it('lets more images in while it runs, and gets a refusal of nonsense that leaves no trace', async () => {
    const { held, handle } = await heldRun();
    for (const nonsense of [0, 51, 1.5, 'five']) {
      await expect(handle.executeUpdate(UPDATE.setConcurrency, { args: [nonsense] })).rejects.toBeInstanceOf(
        WorkflowUpdateFailedError,
      );
    }
    const state = await handle.executeUpdate<SteeringState, [number]>(UPDATE.setConcurrency, { args: [3] });
    expect(state.maxConcurrency).toBe(3);
    await expect
      .poll(async () => (await handle.query<RunProgress>(PROGRESS_QUERY)).running.length, { timeout: 20_000 })
      .toBe(3);
    held.release();
    await handle.result();
    const { events } = await handle.fetchHistory();
    const updates = events?.filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes);
    expect(updates).toHaveLength(1);
  });

  it('finds images and runs by how they ended', async () => {
    const { factory, held, handle } = await heldRun();
    held.release();
    await handle.result();
    const { client } = factory.temporal;
    const id = mirrorImageId(ref(`${held.host}/ci/${NAMES[0]}`));
    const query = `FactoryImage = '${NAMES[0]}' AND FactoryOutcome = 'mirrored' AND WorkflowId = '${id}'`;
    await expect
      .poll(async () => (await all(client.workflow.list({ query }))).length, { timeout: 20_000 })
      .toBe(1);
    const runs = `WorkflowType = 'imageFactory' AND FactoryOutcome = 'success' AND WorkflowId = '${handle.workflowId}'`;
    await expect
      .poll(async () => (await all(client.workflow.list({ query: runs }))).length, {
        timeout: 20_000,
      })
      .toBe(1);
  });
});

describe('a run that is stuck', () => {
  it('ends before its time limit, with a report that says what it did not come to', async () => {
    const { factory, handle } = await heldRun({ workflowExecutionTimeout: '30s' });
    const error = await handle.result().catch((reason: unknown) => reason);
    if (!(error instanceof WorkflowFailedError)) throw error;
    const end = workflowEnd(error);
    expect(end.type).toBe('DeadlineExceeded');
    const result = end.details as RunResult; // imageFactory's own detail
    expect(result.counts).toMatchObject({ mirrored: 0, failed: 2, cancelled: 1 });
    const report = await factory.evidence.get(`runs/${result.runId}/report.json`);
    expect(JSON.parse(String(report)).run.end).toMatchObject({ kind: 'failed', type: 'DeadlineExceeded' });
    await record('image-factory.deadline', handle);
  });
});
