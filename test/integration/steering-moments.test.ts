import { WithStartWorkflowOperation, WorkflowUpdateFailedError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import type { PushTask } from '../../src/contract/activities.js';
import type { Continuation } from '../../src/contract/continuation.js';
import { PROGRESS_QUERY, WORKFLOW } from '../../src/contract/names.js';
import type { RunProgress } from '../../src/contract/progress.js';
import { type SteeringState, UPDATE } from '../../src/contract/steering.js';
import { noCounts } from '../../src/workflows/run-state.js';
import { endOf, held, openScripted } from './scripted.js';

describe('an update in the first task of an execution', () => {
  it('is answered and done when it came with the start', async () => {
    const { temporal, workflowId } = await openScripted();
    const { client, taskQueue } = temporal;
    const startWorkflowOperation = new WithStartWorkflowOperation(WORKFLOW.imageFactory, {
      ...{ workflowId, taskQueue, args: [{}] },
      workflowIdConflictPolicy: 'FAIL',
    });
    const answer: unknown = await client.workflow.executeUpdateWithStart(UPDATE.pause, {
      startWorkflowOperation,
    });
    expect(answer).toMatchObject({ paused: true });
    const handle = await startWorkflowOperation.workflowHandle();
    await expect
      .poll(() => handle.query<RunProgress>(PROGRESS_QUERY), { timeout: 20_000 })
      .toMatchObject({ phase: 'mirror', paused: true, running: [] });
    await handle.executeUpdate(UPDATE.resume);
    expect(await endOf(handle)).toMatchObject({ status: 'COMPLETED' });
  });

  it('is kept when it came after a continue-as-new, before any worker', async () => {
    const { config, start, startWorker } = await openScripted({ withoutWorker: true });
    const continuation: Continuation = {
      config,
      discovery: { pages: ['discovery/0'], images: 2, fields: 2, answeredBy: 'REST' },
      ...{ nextPage: 0, database: null, outcomePages: [], counts: noCounts(), goodFields: [] },
      steering: { paused: true, maxConcurrency: 1 },
      startedAt: new Date().toISOString(),
      deadlineAt: new Date(Date.now() + 3_600_000).toISOString(),
    };
    const handle = await start([{}, continuation]);
    const answers = Promise.all([
      handle.executeUpdate<SteeringState, [number]>(UPDATE.setConcurrency, { args: [7] }),
      handle.executeUpdate<SteeringState, []>(UPDATE.resume),
    ]);
    await startWorker();
    expect((await answers)[0].maxConcurrency).toBe(7);
    expect(await endOf(handle)).toMatchObject({ status: 'COMPLETED' });
    expect(await handle.query(PROGRESS_QUERY)).toMatchObject({ maxConcurrency: 7, paused: false });
  });
});

describe('a pause', () => {
  it('while the input is resolved holds the images back, and another bound stays', async () => {
    const resolving = held(() => config);
    const { config, calls, start } = await openScripted({ activities: { resolveRun: resolving.body } });
    const handle = await start();
    await resolving.reached;
    await handle.executeUpdate(UPDATE.pause);
    await handle.executeUpdate(UPDATE.setConcurrency, { args: [3] });
    resolving.release();
    await expect
      .poll(() => handle.query<RunProgress>(PROGRESS_QUERY), { timeout: 20_000 })
      .toMatchObject({ phase: 'mirror', paused: true, maxConcurrency: 3 });
    expect(calls).not.toContain('buildImage');
    await handle.executeUpdate(UPDATE.resume);
    expect(await endOf(handle)).toMatchObject({ status: 'COMPLETED' });
  });

  it('holds back the update of the account, and is refused once that has begun', async () => {
    const [verifying, updating] = [held(last), held(() => ({ updated: [], rejected: [] }))];
    let verified = 0;
    const { calls, start } = await openScripted({
      activities: {
        verifyImage: (task) => (++verified < 2 ? Promise.resolve(last(task)) : verifying.body(task)),
        updateAccount: updating.body,
      },
    });
    const handle = await start();
    await verifying.reached;
    await handle.executeUpdate(UPDATE.pause);
    verifying.release();
    await expect
      .poll(() => handle.query<RunProgress>(PROGRESS_QUERY), { timeout: 20_000 })
      .toMatchObject({ paused: true, counts: { mirrored: 2 } });
    await expect.poll(() => calls, { timeout: 20_000 }).toContain('recordOutcomes');
    expect(calls).not.toContain('checkAccount');
    await handle.executeUpdate(UPDATE.resume);
    await updating.reached;
    await expect(handle.executeUpdate(UPDATE.pause)).rejects.toBeInstanceOf(WorkflowUpdateFailedError);
    updating.release();
    expect(await endOf(handle)).toMatchObject({ status: 'COMPLETED', outcome: 'success' });
  });

  it('of a dry run that plans is refused', async () => {
    const planning = held(({ page }: { page: string }) => ({ key: page, items: [] }));
    const { start } = await openScripted({ activities: { planPage: planning.body } });
    const handle = await start([{ dryRun: true }]);
    await planning.reached;
    const refusal = await handle.executeUpdate(UPDATE.pause).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(WorkflowUpdateFailedError);
    expect(String((refusal as WorkflowUpdateFailedError).cause)).toContain('dry run'); // checked the line above
    planning.release();
    expect(await endOf(handle)).toMatchObject({ status: 'COMPLETED', outcome: 'success' });
  });
});

const last = ({ built }: PushTask) => ({ digest: built.digest, platforms: 1 });
