import { randomUUID } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { onTestFinished, vi } from 'vitest';
import { mirrorImageId, updateHarnessId, WORKFLOW } from '../../src/contract/names.js';
import { type FactoryOptions, few, openFactory } from '../integration/factory.js';
import { crane } from '../mirror/side.js';
import { ref } from '../support/images.js';
import { type FaultyProxy, startFaultyProxy } from './proxy.js';

/** The image that faults aim at; the other one of `few` goes on beside it. */
export const AIM = 'harness/ci-addon';
export const AIM_TAG = '1.16.92';

export interface PendingActivity {
  workflowId: string;
  activityId: string;
  type: string;
  attempt: number;
  started: boolean;
  /** How long its current attempt has been running. */
  ranMs: number;
  /** Why its last attempt failed: the stable type, or `timeout`. */
  lastFailure: string | undefined;
}

/** A factory whose registries and account are behind doors that can be told to misbehave. Workers are separate processes. */
export async function openWorld(options: FactoryOptions = {}) {
  const name = `faults${randomUUID().replaceAll('-', '')}`;
  const factory = await openFactory({ images: few, withoutWorker: true, account: name, ...options });
  const [source, target, account] = await Promise.all([
    startFaultyProxy(factory.source.host),
    startFaultyProxy(factory.target.host),
    startFaultyProxy(new URL(factory.harness.url).host),
  ]);
  onTestFinished(async () => {
    await Promise.all([source, target, account].map((proxy) => proxy.stop()));
  });
  const connector = factory.harness.state.connectors.get('harnessImage');
  if (connector) connector.dockerRegistryUrl = `http://${target.host}`;
  const overridesBefore = { ...factory.harness.state.overrides.K8 };
  const env = {
    ...factory.env,
    SOURCE_REGISTRY: source.host,
    HARNESS_URL: `http://${account.host}/gateway`,
    TRIVY_DB_REPOSITORY: factory.env.TRIVY_DB_REPOSITORY.replace(factory.source.host, source.host),
  };
  const input = { ...factory.input, registry: `${target.host}/ci`, scan: false };
  const targetOf = ({ repository, tag }: { repository: string; tag: string }): string =>
    `${target.host}/ci/${repository}:${tag}`;
  /** Ids of all workflows that a run may have open. */
  const workflowIds = (run: WorkflowHandle): string[] => [
    run.workflowId,
    ...factory.fleet.map((image) => mirrorImageId(ref(targetOf(image)))),
    updateHarnessId(name, 'K8'),
  ];
  const client = factory.temporal.client;
  /** What the open workflows of a run are waiting for. */
  const pending = async (run: WorkflowHandle, of = client): Promise<PendingActivity[]> => {
    const described = await Promise.all(
      workflowIds(run).map(async (workflowId) => {
        const description = await of.workflow
          .getHandle(workflowId)
          .describe()
          .catch(() => undefined);
        return (description?.raw.pendingActivities ?? []).map((one) => ({
          workflowId,
          activityId: one.activityId ?? '',
          type: one.activityType?.name ?? '',
          attempt: one.attempt ?? 0,
          started: one.lastStartedTime != null && one.state === 2, // PENDING_ACTIVITY_STATE_STARTED
          ranMs: one.lastStartedTime?.seconds ? Date.now() - Number(one.lastStartedTime.seconds) * 1000 : 0,
          lastFailure: one.lastFailure?.timeoutFailureInfo
            ? 'timeout'
            : (one.lastFailure?.applicationFailureInfo?.type ?? undefined),
        }));
      }),
    );
    return described.flat();
  };
  return {
    ...{ factory, source, target, account, env, input, targetOf, pending, workflowIds, overridesBefore },
    /** No update may name what `crane` can't validate at that moment: watched at the account's door. */
    ...(await guard(account, target, factory.target.host)),
    /** As a run names it → where it really is, past the doors. */
    real: (reference: string): string => reference.replace(target.host, factory.target.host),
    evidence: (key: string): string => join(env.REPORT_DIR, key),
    start: (changes: object = {}) => factory.start(WORKFLOW.imageFactory, { ...input, ...changes }),
    /** Settles when an attempt of an activity has failed with this type. */
    failedWith: (run: WorkflowHandle, type: string): Promise<PendingActivity> =>
      vi.waitFor(
        async () => {
          const found = (await pending(run)).find(({ lastFailure }) => lastFailure === type);
          if (found === undefined) throw new Error(`no activity has failed with ${type}`);
          return found;
        },
        { timeout: 90_000, interval: 200 },
      ),
  };
}

export type World = Awaited<ReturnType<typeof openWorld>>;

async function guard(account: FaultyProxy, target: FaultyProxy, realTarget: string) {
  const wrongUpdates: string[] = [];
  account.watch(async ({ method, path, body }) => {
    if (method !== 'POST' || !path.endsWith('/update-config')) return;
    // What our client sends; its shape is the simulator's to check.
    const values = (JSON.parse(body) as { value: string }[]).map(({ value }) => value);
    for (const value of values) {
      if (!value.startsWith(target.host)) continue;
      await crane('validate', '--remote', value.replace(target.host, realTarget)).catch((error: unknown) =>
        wrongUpdates.push(`${value}: ${error}`),
      );
    }
  });
  return { wrongUpdates };
}

/** Settles when a file or folder is there. */
export const appears = (path: string): Promise<void> =>
  vi.waitFor(() => stat(path).then(() => undefined), { timeout: 60_000, interval: 5 });

export const readJson = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, 'utf8'));
