import { readFile } from 'node:fs/promises';
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import type { RunSummaryForReport } from '../../src/contract/activities.js';
import type { RunResult } from '../../src/contract/outcome.js';
import { all, record } from './history.js';
import { endOf, held, openScripted } from './scripted.js';

const away = (): never => {
  throw ApplicationFailure.nonRetryable('the evidence store is away', 'EvidenceUnavailable');
};

/** What the reports were asked to say. */
const reported = (asked: readonly { name: string; task: unknown }[]): RunSummaryForReport[] =>
  asked.filter(({ name }) => name === 'writeReport').map(({ task }) => task as RunSummaryForReport); // by the contract

describe('an evidence store that was away for long', () => {
  it('gets the pages again that it did not take, so that there is a report', async () => {
    let asks = 0;
    const { asked, calls, start } = await openScripted({
      activities: {
        recordOutcomes: async ({ page }) => (++asks === 1 ? away() : { key: `outcomes/${page}` }),
      },
    });
    const end = await endOf(await start());
    expect(end).toMatchObject({
      ...{ status: 'FAILED', outcome: 'failed' },
      end: { type: 'EvidenceUnavailable', details: { counts: { mirrored: 2 } } },
    });
    expect(reported(asked)).toMatchObject([{ pages: ['outcomes/0'], ended: { kind: 'failed' } }]);
    expect(calls).not.toContain('updateAccount');
  });

  it('and stays away: the run ends with what it knows and why there is no report', async () => {
    const { calls, start } = await openScripted({ activities: { writeReport: async () => away() } });
    const { status, outcome, end } = await endOf(await start());
    expect({ status, outcome, type: end?.type }).toEqual({
      ...{ status: 'FAILED', outcome: 'failed' },
      type: 'EvidenceUnavailable',
    });
    expect(end?.message).toContain('there is no report: the evidence store is away');
    expect(end?.details).toMatchObject({
      counts: { mirrored: 2 },
      report: null,
      accounts: [{ kind: 'updated' }],
    });
    expect(calls).toContain('updateAccount');
  });
});

describe('a run that is cancelled', () => {
  it('is found by that, and has its report', async () => {
    const pushing = held(() => ({ blobs: 0, uploadedBlobs: 0, mountedBlobs: 0, uploadedBytes: 0 }));
    const { asked, start } = await openScripted({ activities: { pushImage: pushing.body } });
    const handle = await start();
    await pushing.reached;
    await handle.cancel();
    pushing.release();
    expect(await endOf(handle)).toMatchObject({ status: 'CANCELLED', outcome: 'cancelled' });
    expect(reported(asked)).toMatchObject([{ ended: { kind: 'cancelled' } }]);
    await record('image-factory.cancelled-with-outcome', handle);
  });

  it('while its report is written has it, and ends as its images did', async () => {
    const reporting = held(() => ({ json: 'j', html: 'h', jsonKey: 'j' }));
    const { start } = await openScripted({ activities: { writeReport: reporting.body } });
    const handle = await start();
    await reporting.reached;
    await handle.cancel();
    reporting.release();
    const { status, outcome, result } = await endOf(handle);
    expect({ status, outcome }).toEqual({ status: 'COMPLETED', outcome: 'success' });
    expect((result as RunResult).counts.mirrored).toBe(2); // imageFactory's own result
  });

  it('while its input is resolved has a report of that', async () => {
    const resolving = held(() => config);
    const { config, asked, start } = await openScripted({ activities: { resolveRun: resolving.body } });
    const handle = await start();
    await resolving.reached;
    await handle.cancel();
    expect(await endOf(handle)).toMatchObject({ status: 'CANCELLED', outcome: 'cancelled' });
    resolving.release(); // only now: an answer that comes with the cancellation would be used
    expect(reported(asked)).toMatchObject([{ config: null, ended: { kind: 'cancelled' } }]);
    await record('image-factory.cancelled-early', handle);
  });
});

describe('a run whose input is refused', () => {
  const refuse = async (): Promise<never> => {
    throw ApplicationFailure.nonRetryable('`registry` is missing', 'InvalidInput');
  };

  it('says so in its failure, in lists of workflows and in a report', async () => {
    const { asked, start } = await openScripted({ activities: { resolveRun: refuse } });
    const handle = await start();
    expect(await endOf(handle)).toMatchObject({
      ...{ status: 'FAILED', outcome: 'failed' },
      end: { type: 'InvalidInput', message: '`registry` is missing' },
    });
    const ended = { kind: 'failed', type: 'InvalidInput', message: '`registry` is missing' };
    expect(reported(asked)).toMatchObject([{ config: null, ended }]);
    await record('image-factory.refused', handle);
  });

  it('says the same where the report could not be written', async () => {
    const activities = { resolveRun: refuse, writeReport: async () => away() };
    const { start } = await openScripted({ activities });
    const { end, outcome } = await endOf(await start());
    expect({ type: end?.type, outcome }).toEqual({ type: 'InvalidInput', outcome: 'failed' });
  });
});

describe('a dry run that fails', () => {
  it('says what went wrong, not only where', async () => {
    const forbid = (): never => {
      throw ApplicationFailure.nonRetryable('the key may not read the account', 'HarnessForbidden');
    };
    const { start } = await openScripted({ activities: { discoverImages: async () => forbid() } });
    const handle = await start([{ dryRun: true }]);
    expect(await endOf(handle)).toMatchObject({
      ...{ status: 'FAILED', outcome: 'failed' },
      end: { type: 'HarnessForbidden', message: 'the key may not read the account' },
    });
    await record('image-factory.dry-run-failed', handle);
  });
});

it('the query of docs/operating.md finds every run that did not end well, and no other', async () => {
  const document = await readFile(new URL('../../docs/operating.md', import.meta.url), 'utf8');
  const [, query] = /--query "(WorkflowType = 'imageFactory' AND [^"]+)"/.exec(document) ?? [];
  const resolving = held(() => config);
  const { config, temporal, workflowId, start } = await openScripted({
    activities: {
      resolveRun: async ({ registry, dryRun }) =>
        registry === 'held'
          ? resolving.body()
          : registry === 'bad'
            ? away()
            : { ...config, dryRun: dryRun ?? false },
    },
  });
  const run = (name: string, input: object) => start([input], `${workflowId}-${name}`);
  const terminated = await run('terminated', { registry: 'held' });
  await resolving.reached;
  await terminated.terminate();
  resolving.release();
  await endOf(await run('refused', { registry: 'bad' }));
  await endOf(await run('dry', { dryRun: true }));
  await endOf(await run('good', {}));
  const ours = `${query} AND WorkflowId STARTS_WITH '${workflowId}'`;
  const found = async () =>
    (await all(temporal.client.workflow.list({ query: ours }))).map((found) => found.workflowId).sort();
  await expect
    .poll(found, { timeout: 20_000 })
    .toEqual([`${workflowId}-refused`, `${workflowId}-terminated`]);
});
