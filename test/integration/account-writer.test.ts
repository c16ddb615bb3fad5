import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { updateHarnessId, WORKFLOW } from '../../src/contract/names.js';
import type { AccountOutcome, RunResult } from '../../src/contract/outcome.js';
import { awaitHolder } from '../../src/worker/holder.js';
import { asked, record } from './history.js';
import { endOf, held, openScripted } from './scripted.js';

type Updated = Pick<AccountOutcome, 'updated' | 'rejected'>;
const none = (): Updated => ({ updated: [], rejected: [] });

describe('a second run that comes to the account while another one updates it', () => {
  it('waits for its end, and updates it then', async () => {
    const updating = held(none);
    let looks = 0;
    const factory = await openScripted({
      activities: {
        updateAccount: updating.body,
        awaitHolder: async (workflowId, patient = false) => {
          looks++;
          updating.release();
          const { client } = factory.temporal;
          return awaitHolder(client, workflowId, { patient, signal: AbortSignal.timeout(60_000) });
        },
      },
    });
    const first = await factory.start();
    await updating.reached;
    const second = await factory.start([{}], `${factory.workflowId}-second`);
    const results = [await endOf(first), await endOf(second)].map(({ result }) => result as RunResult); // imageFactory's
    expect(results.map(({ accounts }) => accounts[0]?.kind)).toEqual(['unchanged', 'unchanged']);
    expect(looks).toBe(1);
    await record('image-factory.waited-for-account', second);
  });

  it('skips it when that one does not end in time, and says who has it', async () => {
    const updating = held(none);
    const factory = await openScripted({
      activities: {
        updateAccount: updating.body,
        awaitHolder: async () => ({ state: 'held', holder: 'run nightly' }),
      },
    });
    const first = await factory.start();
    await updating.reached;
    const second = await factory.start([{}], `${factory.workflowId}-second`);
    const { status, result } = await endOf(second);
    expect(status).toBe('COMPLETED');
    const { accounts } = result as RunResult; // imageFactory's own result
    expect(accounts).toEqual([
      { infra: 'K8', kind: 'skipped', reason: 'in progress elsewhere: run nightly has it' },
    ]);
    updating.release();
    await endOf(first);
    await record('image-factory.account-held', second);
  });
});

describe('a run that is cancelled while it updates the account', () => {
  it('ends that update, and reports the infrastructure that it did not come to', async () => {
    const updating = held(none);
    const { asked, calls, start } = await openScripted({
      config: { infra: ['K8', 'VM'] },
      activities: { updateAccount: updating.body },
    });
    const handle = await start();
    await updating.reached;
    await handle.cancel();
    updating.release();
    expect(await endOf(handle)).toMatchObject({ status: 'CANCELLED', outcome: 'cancelled' });
    expect(calls.filter((name) => name === 'updateAccount')).toHaveLength(1);
    expect(asked.find(({ name }) => name === 'writeReport')?.task).toMatchObject({
      accounts: [
        { infra: 'K8', kind: 'unchanged' },
        { infra: 'VM', kind: 'skipped', reason: 'the run ended before anything was changed' },
      ],
    });
    await record('image-factory.cancelled-in-update', handle);
  });
});

describe('the account’s single writer', () => {
  it('shows how it ended also when the snapshot failed', async () => {
    const { temporal, config, start } = await openScripted({
      activities: {
        snapshotAccount: async () => {
          throw ApplicationFailure.nonRetryable('the bucket refuses', 'EvidenceRefused');
        },
      },
    });
    expect(await endOf(await start())).toMatchObject({ end: { type: 'HarnessNotUpdated' } });
    const writer = temporal.client.workflow.getHandle(updateHarnessId(config.harness.account, 'K8'));
    expect(await endOf(writer)).toMatchObject({ status: 'FAILED', outcome: 'failed' });
    await record('update-harness.without-snapshot', writer);
  });

  it('refuses an account whose connector is not usable, and shows that', async () => {
    const { temporal, config, start } = await openScripted({
      activities: {
        checkAccount: async () => {
          throw ApplicationFailure.nonRetryable('its test fails', 'ConnectorUnusable');
        },
      },
    });
    const run = await start();
    expect(await endOf(run)).toMatchObject({ end: { type: 'HarnessNotUpdated' } });
    const writer = temporal.client.workflow.getHandle(updateHarnessId(config.harness.account, 'K8'));
    expect(await endOf(writer)).toMatchObject({ status: 'COMPLETED', outcome: 'refused' });
    await record('update-harness.refused', writer);
    await record('image-factory.account-refused', run);
  });

  it('keeps its lock until a restore that was cancelled has stopped to write', async () => {
    const restoring = held(() => ({ restored: 1, reset: 0, leftAlone: [], rejected: [] }));
    const { temporal, config } = await openScripted({ activities: { restoreAccount: restoring.body } });
    const { client, taskQueue } = temporal;
    const restore = await client.workflow.start(WORKFLOW.restoreHarness, {
      ...{ taskQueue, workflowId: temporal.uniqueId('restore'), args: [{ runId: 'earlier' }] },
    });
    await restoring.reached;
    const writer = client.workflow.getHandle(updateHarnessId(config.harness.account, 'K8'));
    await writer.cancel();
    // Asked for by the workflow itself, after the task that the cancellation caused.
    await asked(writer);
    expect((await writer.describe()).status.name).toBe('RUNNING');
    restoring.release();
    expect(await endOf(restore)).toMatchObject({ status: 'COMPLETED' });
    expect(await endOf(writer)).toMatchObject({ status: 'COMPLETED', outcome: 'updated' });
  });
});
