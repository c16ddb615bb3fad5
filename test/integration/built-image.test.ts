import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Activities, BuildTask, ScanTask } from '../../src/contract/activities.js';
import type { Digest } from '../../src/contract/brand.js';
import { mirrorImageId } from '../../src/contract/names.js';
import { digestOf } from '../../src/registry/digest.js';
import { ref } from '../support/images.js';
import { record } from './history.js';
import { broken, building, oneImage, verdictOf } from './one-image.js';
import { endOf, openScripted } from './scripted.js';

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
