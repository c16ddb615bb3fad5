import { describe, expect, it } from 'vitest';
import { mirrorImageId, PROGRESS_QUERY, WORKFLOW } from '../../src/contract/names.js';
import type { RunResult } from '../../src/contract/outcome.js';
import type { RunProgress } from '../../src/contract/progress.js';
import { ref } from '../support/images.js';
import { openFactory } from './factory.js';
import { holdUploads } from './slow-registry.js';

const NAMES = ['harness/ci-addon:1.16.92', 'harness/drone-git:1.6.9-rootless', 'plugins/cache:1.9.8'];

describe('images in work', () => {
  it('are never more than maxConcurrency, and a slow one holds back none', async () => {
    const factory = await openFactory({
      images: ({ repository, tag }) => NAMES.includes(`${repository}:${tag}`),
    });
    // Its manifests: a layer that images share is waited for, since it goes to a registry once.
    const held = await holdUploads(factory.target.host, 'harness/ci-addon/manifests/');
    const input = { registry: `${held.host}/ci`, scan: false, maxConcurrency: 2 };
    const handle = await factory.start(WORKFLOW.imageFactory, input);
    await held.firstUpload;
    const early = await handle.query<RunProgress>(PROGRESS_QUERY);
    expect(early.running.length).toBeLessThanOrEqual(2);
    expect(early.running.length + early.finished.length).toBeLessThan(4);
    const state = async (name: string) =>
      (
        await factory.temporal.client.workflow
          .getHandle(mirrorImageId(ref(`${held.host}/ci/${name}`)))
          .describe()
      ).status.name;

    // The third can only start once the second has ended, and ends while the first is still held.
    for (const name of NAMES.slice(1)) {
      await expect.poll(() => state(name).catch(() => 'NOT STARTED'), { timeout: 20_000 }).toBe('COMPLETED');
    }
    expect(await state('harness/ci-addon:1.16.92')).toBe('RUNNING');
    held.release();
    const result: RunResult = await handle.result();
    expect(result.counts.mirrored).toBe(3);

    const { events } = await handle.fetchHistory();
    let open = 0;
    let most = 0;
    for (const event of events ?? []) {
      if (event.startChildWorkflowExecutionInitiatedEventAttributes) open++;
      if (event.childWorkflowExecutionCompletedEventAttributes) open--;
      most = Math.max(most, open);
    }
    expect(most).toBe(2);
  });
});
