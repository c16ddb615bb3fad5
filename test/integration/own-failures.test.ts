import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createActivities } from '../../src/activities/index.js';
import { type ActivityContext, runStep } from '../../src/activities/step.js';
import { FactoryError } from '../../src/common/errors.js';
import type { FailureType } from '../../src/contract/failure.js';
import type { MirrorTask } from '../../src/contract/mirror.js';
import { WORKFLOW } from '../../src/contract/names.js';
import { digestOf } from '../../src/registry/digest.js';
import { referenceTo } from '../registry/kit.js';
import { config } from '../support/report-fixture.js';
import { openTemporal } from '../support/temporal.js';
import { few, openFactory } from './factory.js';

/** What happens to one attempt of a step. */
type Attempt = 'handed back' | 'fails' | 'works';

/** A failure of this type, tried again at once. */
const failing = (type: FailureType) => new FactoryError(type, 'it did not work', { retryAfterMs: 1 });

/** A step whose attempts go as told. @returns it, and how many failures each attempt was told of. */
function scripted(script: readonly Attempt[], type: FailureType = 'ScannerFailed') {
  const told: number[] = [];
  const step = () => {
    const stopping = new AbortController();
    const now = script[told.length] ?? 'works';
    const body = async ({ signal, failures }: ActivityContext) => {
      told.push(failures);
      if (now === 'fails') throw failing(type);
      if (now === 'handed back') stopping.abort(new Error('WORKER_SHUTDOWN'));
      signal.throwIfAborted();
    };
    return runStep(body, { handBack: stopping.signal });
  };
  return { step, told };
}

const task: MirrorTask = {
  runId: 'run',
  image: 'a/b:1',
  source: referenceTo('docker.io/a/b:1'),
  sourceDigest: digestOf('source'),
  target: referenceTo('localhost:5000/a/b:1'),
  build: config.buildPush,
  scan: null,
  scanOnly: false,
};

/** A worker whose steps are these, on a real Temporal server. */
async function workerOf(activities: Record<string, () => Promise<unknown>>) {
  const temporal = await openTemporal();
  onTestFinished(() => temporal.close());
  await temporal.startWorker({ activities });
  return (type: string, input: object) =>
    temporal.client.workflow.start(type, {
      workflowId: temporal.uniqueId(type),
      taskQueue: temporal.taskQueue,
      args: [input],
    });
}

/** Runs an activity by itself. */
const inActivity = <T>(
  activity: () => Promise<T>,
  info: ConstructorParameters<typeof MockActivityEnvironment>[0] = {},
): Promise<T> => new MockActivityEnvironment(info).run<[], T, () => Promise<T>>(activity);

/** An image's build that goes as the step does. */
const building = (step: () => Promise<unknown>) => async () => {
  await step();
  return { digest: digestOf('built'), mediaType: '', platforms: [] };
};
const rest = { pushImage: async () => ({}), verifyImage: async () => ({}) };

/** The failure at the bottom of what a workflow ended with. */
async function failureOf(result: Promise<unknown>): Promise<unknown> {
  let error: unknown = await result.catch((reason: unknown) => reason);
  while (error instanceof Error && error.cause !== undefined && !(error instanceof ApplicationFailure))
    error = error.cause;
  return error;
}

describe('how often a step is tried', () => {
  it('does not count the attempts that a stopping worker handed back', async () => {
    const { step, told } = scripted([
      'handed back',
      'handed back',
      'handed back',
      'fails',
      'handed back',
      'fails',
    ]);
    const start = await workerOf({ buildImage: building(step), ...rest });
    await (await start(WORKFLOW.mirrorImage, task)).result();
    expect(told).toEqual([0, 0, 0, 0, 1, 1, 2]);
  });

  it('ends at the last failure that is allowed to its type', async () => {
    const { step, told } = scripted(['fails', 'handed back', 'fails', 'fails']);
    const start = await workerOf({ buildImage: building(step), ...rest });
    const failure = await failureOf((await start(WORKFLOW.mirrorImage, task)).result());
    expect(failure).toMatchObject({ type: 'ScannerFailed', nonRetryable: true });
    expect(told).toEqual([0, 1, 1, 2]);
  });

  it('is counted too where the step is short and has no heartbeat timeout', async () => {
    const { step, told } = scripted(Array<Attempt>(9).fill('fails'), 'HarnessBadAnswer');
    const start = await workerOf({ resolveRestore: step });
    const failure = await failureOf((await start(WORKFLOW.restoreHarness, {})).result());
    expect(failure).toMatchObject({ type: 'HarnessBadAnswer' });
    expect(told).toEqual([0, 1, 2, 3, 4]);
  });
});

describe('a step that does not end when it is told to', () => {
  it('stops beating, so that the next attempt comes, with the count of failures', {
    timeout: 120_000,
  }, async () => {
    const told: number[] = [];
    const step = () => {
      const stopping = new AbortController();
      const body = async ({ failures }: ActivityContext) => {
        told.push(failures);
        if (told.length === 1) throw failing('ScannerFailed');
        if (told.length > 2) return;
        stopping.abort(new Error('WORKER_SHUTDOWN'));
        await hung;
      };
      return runStep(body, { handBack: stopping.signal });
    };
    let release = (): void => {};
    const hung = new Promise<void>((resolve) => {
      release = resolve;
    });
    const start = await workerOf({ buildImage: building(step), ...rest });
    onTestFinished(release);
    await (await start(WORKFLOW.mirrorImage, task)).result();
    expect(told).toEqual([0, 1, 1]);
  });
});

describe('planning a page while a registry is away', () => {
  it('waits for it however often workers were killed, and gives up after the fourth failure', async () => {
    const factory = await openFactory({ images: few, withoutWorker: true });
    const { resolveRun, discoverImages, planPage } = createActivities(factory.dependencies);
    const runId = 'run';
    const resolved = await inActivity(() => resolveRun(factory.input));
    const { pages } = await inActivity(() => discoverImages({ runId, config: resolved }));
    await factory.source.stop();
    const plan = (attempt: number, failures: number) =>
      inActivity(() => planPage({ runId, config: resolved, page: pages[0] ?? '' }), {
        attempt,
        heartbeatDetails: { phase: 'start', failures },
      });
    await expect(plan(9, 3)).rejects.toMatchObject({ type: 'RegistryUnavailable' });
    const { items } = await plan(9, 4);
    expect(items.map(({ state }) => state)).toEqual(['unresolved', 'unresolved']);
  });
});

describe('writing a page of outcomes', () => {
  it('ends when it is cancelled, also while the evidence store does not answer', async () => {
    const factory = await openFactory({ images: few, withoutWorker: true });
    const environment = new MockActivityEnvironment();
    const put = (_key: string, _bytes: unknown, signal?: AbortSignal) =>
      new Promise<never>((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason));
        environment.cancel('CANCELLED');
      });
    const evidence = Object.assign(Object.create(factory.evidence), { put });
    const { recordOutcomes } = createActivities({ ...factory.dependencies, evidence });
    const written = environment.run(recordOutcomes, { runId: 'run', page: 0, records: [] });
    await expect(written).rejects.toThrow('CANCELLED');
  });
});
