import { randomUUID } from 'node:crypto';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import type { Activities, BuildTask, ScanTask, TemplateStepTask } from '../../src/contract/activities.js';
import type { Digest } from '../../src/contract/brand.js';
import { mirrorImageId } from '../../src/contract/names.js';
import type { BuiltImage, RunResult } from '../../src/contract/outcome.js';
import type { BuildPushConfig, GatherScanConfig, Hook, TemplateStep } from '../../src/contract/run.js';
import { HOOKS } from '../../src/contract/run.js';
import type { Verdict } from '../../src/contract/verdict.js';
import { digestOf } from '../../src/registry/digest.js';
import { ref } from '../support/images.js';
import { config as usual } from '../support/report-fixture.js';
import { record } from './history.js';
import { endOf, held, openScripted, type ScriptedOptions } from './scripted.js';

const stepAt = (at: Hook, over: Partial<TemplateStep> = {}): TemplateStep => ({
  ...{ name: `s-${at}`, at, command: 'true', args: [], env: [], files: [] },
  ...{ timeoutSeconds: 5, onFailure: 'fail', attempts: 1, ...over },
});
const gatherScan = (steps: TemplateStep[]): { gatherScan: GatherScanConfig } => ({
  gatherScan: { ...usual.gatherScan, steps },
});
const building = (over: Partial<BuildPushConfig> = {}): { buildPush: BuildPushConfig } => ({
  buildPush: {
    ...usual.buildPush,
    engine: 'buildkit',
    buildkit: {
      dockerfile: { key: 'templates/d', digest: digestOf('d') },
      buildArgs: {},
      files: [],
      onUnbuildablePlatform: 'copy',
      network: 'default',
    },
    ...over,
  },
});

const broken = (message: string, type = 'StepFailed'): never => {
  throw ApplicationFailure.nonRetryable(message, type);
};

const verdictOf = (decision: Verdict['decision'], rule: string = decision): Verdict => ({
  ...{ decision, rule, platforms: [], policyDigest: usual.gatherScan.policyDigest },
  scannedAt: '2026-01-01T00:00:00.000Z',
  database: { updatedAt: '2026-01-01T00:00:00.000Z', digest: null, javaDigest: null },
});

/** One image, which an engine builds on one platform of two. */
function oneImage(activities: ScriptedOptions['activities'] = {}): ScriptedOptions['activities'] {
  const built = (image: string): BuiltImage => ({
    digest: digestOf(image),
    mediaType: '',
    platforms: [
      { platform: 'linux/amd64', source: digestOf('a'), target: digestOf('b'), how: 'built' },
      { platform: 'linux/arm64', source: digestOf('c'), target: digestOf('d'), how: 'labelled' },
    ],
  });
  return {
    planPage: async () => ({
      key: 'plan/0',
      items: [
        {
          ...{ state: 'create', image: 'made/a:1', fields: [], reason: 'is not in the registry' },
          ...{ source: ref('source.example/made/a:1'), sourceDigest: digestOf('a') },
          ...{ target: ref(`target.example/${Math.random()}/a:1`), targetDigest: null, drift: null },
          lastVerdict: null,
        },
      ],
    }),
    buildImage: async ({ image }) => built(image),
    pinDatabase: async () => verdictOf('pass').database,
    scanImage: async () => verdictOf('pass'),
    ...activities,
  };
}

describe('steps of templates', () => {
  it('run at their places, in the order of the run, and are told what is known there', async () => {
    const { asked, start } = await openScripted({
      config: { ...gatherScan(HOOKS.map((at) => stepAt(at))), scan: true },
      activities: oneImage(),
    });
    const handle = await start();
    const { status, result } = await endOf(handle);
    expect(status).toBe('COMPLETED');
    const tasks = asked
      .filter(({ name }) => name === 'runTemplateStep')
      .map(({ task }) => task as TemplateStepTask); // by the contract
    expect(tasks.map(({ event }) => event.at)).toEqual([...HOOKS]);
    const about = new Map(tasks.map(({ event }) => [event.at, event]));
    expect(about.get('before-scan')).toMatchObject({ image: { name: 'made/a:1' } });
    expect(about.get('before-scan')?.verdict).toBeUndefined();
    expect(about.get('after-scan')?.verdict).toEqual({ decision: 'pass', rule: 'pass' });
    expect(about.get('after-build')?.image?.digest).toBe(digestOf('made/a:1'));
    expect(about.get('after-run')?.result).toMatchObject({
      ...{ ok: true, counts: { mirrored: 1 }, report: { json: 'report.json' } },
      sentence: '1 images: all as they should be',
    });
    expect((result as RunResult).templateSteps?.map(({ at }) => at)).toEqual([
      ...['before-gather', 'after-gather', 'after-run'],
    ]); // imageFactory's own result
    await record('image-factory.template-steps', handle);
  });

  it('that only warn let the image go on, and are in its outcome', async () => {
    const { asked, start } = await openScripted({
      config: gatherScan([stepAt('before-build', { onFailure: 'warn' })]),
      activities: oneImage({ runTemplateStep: async () => broken('step s ended with code 3') }),
    });
    expect((await endOf(await start())).status).toBe('COMPLETED');
    const [page] = asked.filter(({ name }) => name === 'recordOutcomes');
    expect(page?.task).toMatchObject({
      records: [
        {
          outcome: {
            kind: 'mirrored',
            templateSteps: [{ name: 's-before-build', ok: false, message: 'step s ended with code 3' }],
          },
        },
      ],
    });
  });

  it('that fail after a scan do not hide that the policy blocks the image', async () => {
    const { asked, start } = await openScripted({
      config: { ...gatherScan([stepAt('after-scan')]), scan: true },
      activities: oneImage({
        scanImage: async () => verdictOf('block'),
        runTemplateStep: async () => broken('step s ended with code 3'),
      }),
    });
    expect((await endOf(await start())).end?.type).toBe('ImagesFailed');
    expect(asked.find(({ name }) => name === 'recordOutcomes')?.task).toMatchObject({
      records: [{ outcome: { kind: 'blocked', templateSteps: [{ ok: false }] } }],
    });
  });

  it('that fail end their image, and nothing is pushed', async () => {
    const { asked, calls, start } = await openScripted({
      config: gatherScan([stepAt('after-build')]),
      activities: oneImage({ runTemplateStep: async () => broken('step s ended with code 3') }),
    });
    expect((await endOf(await start())).end?.type).toBe('ImagesFailed');
    expect(calls).not.toContain('pushImage');
    expect(asked.find(({ name }) => name === 'recordOutcomes')?.task).toMatchObject({
      records: [{ outcome: { kind: 'failed', type: 'StepFailed', message: 'step s ended with code 3' } }],
    });
  });

  it('after the run hear that it failed, and their own failure does not hide that', async () => {
    const failing = async () => broken('step s ended with code 3');
    const { asked, start } = await openScripted({
      config: gatherScan([stepAt('after-run')]),
      activities: oneImage({
        pushImage: async () => broken('denied', 'RegistryDenied'),
        runTemplateStep: failing,
      }),
    });
    expect((await endOf(await start())).end?.type).toBe('ImagesFailed');
    expect(asked.find(({ name }) => name === 'runTemplateStep')?.task).toMatchObject({
      event: { result: { ok: false, counts: { failed: 1 } } },
    });
    const good = await openScripted({
      config: gatherScan([stepAt('after-run')]),
      activities: oneImage({ runTemplateStep: failing }),
    });
    const { end } = await endOf(await good.start());
    expect(end).toMatchObject({ type: 'StepFailed', details: { counts: { mirrored: 1 } } });
  });

  it('after a run that was cancelled run all the same', async () => {
    const pushing = held(() => ({ blobs: 0, uploadedBlobs: 0, mountedBlobs: 0, uploadedBytes: 0 }));
    const { asked, start } = await openScripted({
      config: gatherScan([stepAt('after-run')]),
      activities: oneImage({ pushImage: pushing.body }),
    });
    const handle = await start();
    await pushing.reached;
    await handle.cancel();
    pushing.release();
    expect((await endOf(handle)).status).toBe('CANCELLED');
    expect(asked.find(({ name }) => name === 'runTemplateStep')?.task).toMatchObject({
      event: { result: { ok: false, sentence: 'the run was cancelled' } },
    });
  });
});

describe('a step after the run that hangs', () => {
  it('is cut off before the run’s limit, and fails the run only if it may not fail itself', async () => {
    // Beats as every step does, and ends when it is told to.
    const hangs = async (): Promise<never> => {
      const activity = Context.current();
      const beat = setInterval(() => activity.heartbeat(), 1000);
      return activity.cancelled.finally(() => clearInterval(beat));
    };
    const ends = await Promise.all(
      (['warn', 'fail'] as const).map(async (onFailure) => {
        const { start } = await openScripted({
          config: gatherScan([stepAt('after-run', { onFailure, timeoutSeconds: 600 })]),
          activities: oneImage({ runTemplateStep: hangs }),
        });
        return endOf(await start([{}], undefined, '45s'));
      }),
    );
    const cut = [{ name: 's-after-run', ok: false, message: expect.stringContaining('did not end') }];
    expect(ends).toMatchObject([
      { status: 'COMPLETED', result: { counts: { mirrored: 1 }, templateSteps: cut } },
      { status: 'FAILED', end: { type: 'StepFailed', details: { templateSteps: cut } } },
    ]);
  });
});

describe('an image that a Docker Engine builds', () => {
  it('is scanned and pushed by the worker that built it, and by any when that is gone', async () => {
    const queues = async (own: boolean) => {
      const queue = `own-${randomUUID()}`;
      const builder = oneImage({
        buildImage: async ({ image }) => ({
          ...{ digest: digestOf(image), mediaType: '', queue },
          platforms: [
            { platform: 'linux/amd64', source: digestOf('a'), target: digestOf('b'), how: 'built' },
          ],
        }),
      });
      const scripted = await openScripted({ config: { ...building(), scan: own }, activities: builder });
      if (own) await scripted.startWorker(queue);
      expect((await endOf(await scripted.start())).status).toBe('COMPLETED');
      const push = scripted.asked.find(({ name }) => name === 'pushImage')?.task;
      const { target } = push as Parameters<Activities['pushImage']>[0]; // by the contract
      const handle = scripted.temporal.client.workflow.getHandle(mirrorImageId(target));
      const { events } = await handle.fetchHistory();
      return (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: scheduled }) =>
        scheduled ? [[scheduled.activityType?.name, scheduled.taskQueue?.name === queue]] : [],
      );
    };
    expect(await queues(true)).toEqual([
      ...[
        ['scanImage', false],
        ['buildImage', false],
        ['scanImage', true],
      ],
      ...[
        ['pushImage', true],
        ['verifyImage', false],
      ],
    ]);
    expect(await queues(false)).toEqual([
      ...[
        ['buildImage', false],
        ['pushImage', true],
        ['pushImage', false],
        ['verifyImage', false],
      ],
    ]);
  });

  it('is scanned again before it goes out, and the engine is asked first and cleared last', async () => {
    const { asked, calls, start, temporal } = await openScripted({
      config: { ...building(), scan: true },
      activities: oneImage({
        scanImage: async ({ built }) =>
          verdictOf(built ? 'warn' : 'pass', built ? 'of the built' : 'of the source'),
      }),
    });
    const handle = await start();
    expect((await endOf(handle)).status).toBe('COMPLETED');
    expect(calls.filter((name) => !name.includes('Account'))).toEqual([
      ...['resolveRun', 'discoverImages', 'planPage', 'pinDatabase', 'checkEngine'],
      ...['scanImage', 'buildImage', 'scanImage', 'pushImage', 'verifyImage'],
      ...['recordOutcomes', 'cleanEngine', 'writeReport'],
    ]);
    const page = asked.find(({ name }) => name === 'recordOutcomes')?.task;
    const records = (page as Parameters<Activities['recordOutcomes']>[0] | undefined)?.records ?? []; // by the contract
    expect(records).toMatchObject([
      {
        outcome: {
          kind: 'mirrored',
          verdict: { rule: 'of the source' },
          builtVerdict: { rule: 'of the built' },
        },
      },
    ]);
    expect(asked.find(({ name }) => name === 'writeReport')?.task).toMatchObject({
      engine: { version: '20.10.24' },
    });
    const target = records[0]?.item.target ?? ref('none.example/none:1');
    await record('mirror-image.built', temporal.client.workflow.getHandle(mirrorImageId(target)));
  });

  it('and that is worse than its source is kept out', async () => {
    const { asked, calls, start } = await openScripted({
      config: { ...building(), scan: true },
      activities: oneImage({ scanImage: async ({ built }) => verdictOf(built ? 'block' : 'pass') }),
    });
    expect((await endOf(await start())).end?.type).toBe('ImagesFailed');
    expect(calls).not.toContain('pushImage');
    expect(asked.find(({ name }) => name === 'recordOutcomes')?.task).toMatchObject({
      records: [
        { outcome: { kind: 'blocked', verdict: { decision: 'pass' }, builtVerdict: { decision: 'block' } } },
      ],
    });
  });

  it('whose content was lost with its worker is built and scanned again, a few times', async () => {
    let builds = 0;
    const lost = (digest: Digest | undefined): boolean => digest !== digestOf('build 2');
    const { asked, start } = await openScripted({
      config: { ...building(), scan: true },
      activities: oneImage({
        buildImage: async () => ({
          digest: digestOf(`build ${++builds}`),
          mediaType: '',
          platforms: [
            { platform: 'linux/amd64', source: digestOf('a'), target: digestOf('b'), how: 'built' },
          ],
        }),
        pushImage: async ({ built }) =>
          lost(built.digest)
            ? broken('is on another worker', 'BuiltContentLost')
            : { blobs: 0, uploadedBlobs: 0, mountedBlobs: 0, uploadedBytes: 0 },
      }),
    });
    expect((await endOf(await start())).status).toBe('COMPLETED');
    const scanned = asked
      .filter(({ name }) => name === 'scanImage')
      .map(({ task }) => (task as ScanTask).built?.digest); // by the contract
    expect(scanned).toEqual([undefined, digestOf('build 1'), digestOf('build 2')]);
    builds = 10;
    const never = await openScripted({
      config: building(),
      activities: oneImage({ pushImage: async () => broken('is on another worker', 'BuiltContentLost') }),
    });
    expect((await endOf(await never.start())).end?.type).toBe('ImagesFailed');
    expect(never.calls.filter((name) => name === 'buildImage')).toHaveLength(3);
  });

  it('gets the time of its run, the same in all steps', async () => {
    const { asked, start } = await openScripted({ config: building(), activities: oneImage() });
    const handle = await start();
    await endOf(handle);
    const { startTime } = await handle.describe();
    const times = asked
      .filter(({ name }) => ['buildImage', 'pushImage', 'verifyImage'].includes(name))
      .map(({ task }) => (task as BuildTask).runStartedAt); // by the contract
    expect(new Set(times)).toEqual(new Set([startTime.toISOString()]));
  });

  it('has a plan that says which engine builds, or why none does', async () => {
    const { start } = await openScripted({ config: building(), activities: oneImage() });
    expect((await endOf(await start([{ dryRun: true }]))).result).toMatchObject({
      engine: { onUnbuildablePlatform: 'copy', state: { version: '20.10.24' } },
    });
    const none = await openScripted({
      config: building(),
      activities: oneImage({
        checkEngine: async () => broken('no Docker Engine answers', 'EngineUnsuitable'),
      }),
    });
    expect((await endOf(await none.start([{ dryRun: true }]))).result).toMatchObject({
      engine: { state: null, fault: 'no Docker Engine answers' },
      counts: { create: 1 },
    });
  });
});
