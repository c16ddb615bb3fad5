import { Context } from '@temporalio/activity';
import { describe, expect, it } from 'vitest';
import type { TemplateStepTask } from '../../src/contract/activities.js';
import type { RunResult } from '../../src/contract/outcome.js';
import { HOOKS } from '../../src/contract/run.js';
import { digestOf } from '../../src/registry/digest.js';
import { record } from './history.js';
import { broken, gatherScan, oneImage, stepAt, verdictOf } from './one-image.js';
import { endOf, held, openScripted } from './scripted.js';

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
      sentence: '1 image: as it should be',
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
