import {
  type WorkflowExecutionDescription,
  WorkflowFailedError,
  type WorkflowHandle,
} from '@temporalio/client';
import { onTestFinished } from 'vitest';
import { type WorkflowEnd, workflowEnd } from '../../src/cli/exit.js';
import type { Activities } from '../../src/contract/activities.js';
import { WORKFLOW } from '../../src/contract/names.js';
import type { RunConfig } from '../../src/contract/run.js';
import { digestOf } from '../../src/registry/digest.js';
import { ref } from '../support/images.js';
import { config as usual } from '../support/report-fixture.js';
import { openTemporal } from '../support/temporal.js';

export interface ScriptedOptions {
  config?: Partial<RunConfig>;
  /** Activities that behave in another way than well. */
  activities?: Partial<Activities>;
  /** How many pages of two images the account has. */
  pages?: number;
  /** Another Temporal server than the tests' shared one. */
  address?: string;
  /** No worker yet: `startWorker` starts one. */
  withoutWorker?: boolean;
}

/**
 * The real workflows on the real Temporal server, with activities that do nothing, or what a test has them do: for what
 * depends on the order of things. How the activities behave is for the other tests.
 */
export async function openScripted(options: ScriptedOptions = {}) {
  const temporal = await openTemporal(options.address);
  onTestFinished(() => temporal.close());
  const account = temporal.taskQueue.replaceAll('-', '');
  const config = { ...configOf(account), ...options.config };
  /** Names of the activities, in the order in which they began. */
  const calls: string[] = [];
  /** What they were asked, likewise. */
  const asked: { name: string; task: unknown }[] = [];
  const activities = Object.fromEntries(
    Object.entries({ ...wellBehaved(config, options.pages ?? 1), ...options.activities }).map(
      ([name, body]) => [
        name,
        (...args: unknown[]) => {
          calls.push(name);
          asked.push({ name, task: args[0] });
          // Each gets what it was written for: the workflow calls it by the same contract.
          return (body as (...given: unknown[]) => unknown)(...args);
        },
      ],
    ),
  );
  /** @param taskQueue another than that of all workers: one that polls nothing else */
  const startWorker = (taskQueue = temporal.taskQueue) => temporal.startWorker({ activities, taskQueue });
  if (!options.withoutWorker) await startWorker();
  const workflowId = temporal.uniqueId('scripted');
  return {
    ...{ temporal, config, calls, asked, startWorker, workflowId },
    start: (args: unknown[] = [{}], id = workflowId, limit?: '45s'): Promise<WorkflowHandle> =>
      temporal.client.workflow.start(WORKFLOW.imageFactory, {
        ...(limit === undefined ? {} : { workflowExecutionTimeout: limit }),
        workflowId: id,
        taskQueue: temporal.taskQueue,
        args,
      }),
  };
}

/** Something that waits in an activity until it is let go. */
export function held<Args extends unknown[], T>(answer: (...args: Args) => T) {
  let reach = (): void => {};
  let release = (): void => {};
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const body = async (...args: Args): Promise<T> => {
    reach();
    await released;
    return answer(...args);
  };
  return { body, reached, release };
}

/** How a workflow ended, and what a list of workflows shows of it. */
export async function endOf(
  handle: WorkflowHandle,
): Promise<{ status: string; outcome: unknown; result?: unknown; end?: WorkflowEnd }> {
  const ended = await handle.result().then(
    (result: unknown) => ({ result }),
    (error: unknown) => {
      if (!(error instanceof WorkflowFailedError)) throw error;
      return { end: workflowEnd(error) };
    },
  );
  const { status, searchAttributes }: WorkflowExecutionDescription = await handle.describe();
  return { status: status.name, outcome: searchAttributes.FactoryOutcome?.[0], ...ended };
}

function wellBehaved(config: RunConfig, pages: number): Activities {
  const key = (kind: string, page: number | string): string => `${kind}/${page}`;
  return {
    resolveRun: async (input) => ({ ...config, dryRun: input.dryRun ?? false }),
    resolveRestore: async () => ({ runId: 'earlier', infra: config.infra, harness: config.harness }),
    discoverImages: async () => ({
      pages: Array.from({ length: pages }, (_, page) => key('discovery', page)),
      images: pages * 2,
      fields: pages * 2,
      answeredBy: 'REST',
    }),
    planPage: async ({ page }) => ({
      key: key('plan', page),
      items: ['a', 'b'].map((name) => ({
        state: 'create',
        image: `made/${name}:1`,
        fields: config.infra.map((infra) => ({ infra, field: `${page}-${name}` })),
        reason: 'is not in the registry',
        source: ref(`source.example/made/${name}:1`),
        sourceDigest: digestOf(name),
        target: ref(`${config.registry}/${config.harness.account}/${page}/${name}:1`),
        targetDigest: null,
        drift: null,
        lastVerdict: null,
      })),
    }),
    pinDatabase: async () => {
      throw new Error('a scripted run scans nothing');
    },
    scanImage: async () => {
      throw new Error('a scripted run scans nothing');
    },
    buildImage: async ({ image }) => ({ digest: digestOf(image), mediaType: '', platforms: [] }),
    runTemplateStep: async ({ step: { name, at } }) => ({
      ...{ name, at, ok: true, message: 'ended with code 0', ms: 1, output: null },
    }),
    checkEngine: async () => ({ version: '20.10.24', platforms: ['linux/amd64'] }),
    cleanEngine: async () => ({ removed: 0 }),
    pushImage: async () => ({ blobs: 0, uploadedBlobs: 0, mountedBlobs: 0, uploadedBytes: 0 }),
    verifyImage: async ({ built }) => ({ digest: built.digest, platforms: 1 }),
    awaitHolder: async () => ({ state: 'free', holder: '' }),
    checkAccount: async () => {},
    snapshotAccount: async ({ infra }) => ({ key: key('snapshot', infra) }),
    updateAccount: async ({ updates }) => ({
      updated: updates.map((update) => ({ ...update, before: null })),
      rejected: [],
    }),
    readBackAccount: async () => {},
    restoreAccount: async () => ({ restored: 1, reset: 0, leftAlone: [], rejected: [] }),
    recordUnreached: async ({ page }) => ({ key: key('outcomes', page), images: 2 }),
    recordOutcomes: async ({ page }) => ({ key: key('outcomes', page) }),
    writeReport: async () => ({ json: 'report.json', html: 'report.html', jsonKey: 'report.json' }),
  };
}

const configOf = (account: string): RunConfig => ({
  ...usual,
  harness: { ...usual.harness, account },
  maxConcurrency: 1,
  scan: false,
});
