import { describe, expect, it } from 'vitest';
import { mirrorImageId, WORKFLOW } from '../../src/contract/names.js';
import type { RunResult } from '../../src/contract/outcome.js';
import { crane } from '../mirror/side.js';
import { ref } from '../support/images.js';
import { few, openFactory } from './factory.js';
import { attempts } from './history.js';
import { holdUploads } from './slow-registry.js';
import { startWorkerProcess } from './worker-process.js';

describe('a worker that is killed with SIGKILL while it pushes', () => {
  it('is replaced by another one, which finishes the run', async () => {
    const factory = await openFactory({ images: few, withoutWorker: true });
    const held = await holdUploads(factory.target.host);
    const first = await startWorkerProcess(factory.env);
    const input = { ...factory.input, registry: `${held.host}/ci`, modifyDefault: false };
    const handle = await factory.start(WORKFLOW.imageFactory, input);
    await held.firstUpload;
    await first.kill9();
    held.release();
    await startWorkerProcess({ ...factory.env, CONTENT_DIR: `${factory.directory}/another-content` });

    const result: RunResult = await handle.result();
    expect(result.counts).toMatchObject({ mirrored: 2, failed: 0 });
    const history = (name: string) =>
      factory.temporal.client.workflow
        .getHandle(mirrorImageId(ref(`${held.host}/ci/${name}`)))
        .fetchHistory();
    const pushes = await Promise.all(
      factory.fleet.map(
        async ({ repository, tag }) => attempts(await history(`${repository}:${tag}`)).get('pushImage') ?? 0,
      ),
    );
    expect(Math.max(...pushes)).toBeGreaterThan(1);
    for (const { repository, tag } of factory.fleet) {
      await crane('validate', '--remote', `${factory.target.host}/ci/${repository}:${tag}`);
    }
  }, 150_000);
});

describe('a worker that is told to stop', () => {
  it('hands its push back at once, leaves no process behind, and exits', async () => {
    const factory = await openFactory({ images: few, withoutWorker: true });
    const held = await holdUploads(factory.target.host);
    const first = await startWorkerProcess(factory.env);
    const input = { ...factory.input, registry: `${held.host}/ci`, scan: false, modifyDefault: false };
    const handle = await factory.start(WORKFLOW.imageFactory, input);
    await held.firstUpload;
    const code = await first.terminate();
    expect(code).toBe(0);
    const given = await Promise.all(
      factory.fleet.map(async ({ repository, tag }) => {
        const id = mirrorImageId(ref(`${held.host}/ci/${repository}:${tag}`));
        const { raw } = await factory.temporal.client.workflow.getHandle(id).describe();
        return (
          raw.pendingActivities?.map(({ lastFailure }) => lastFailure?.applicationFailureInfo?.type) ?? []
        );
      }),
    );
    expect(given.flat()).toContain('WorkerShutdown');
    held.release();
    await startWorkerProcess(factory.env);
    const result: RunResult = await handle.result();
    expect(result.counts).toMatchObject({ mirrored: 2 });
  }, 150_000);
});
