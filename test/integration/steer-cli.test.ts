import { describe, expect, it } from 'vitest';
import { WORKFLOW } from '../../src/contract/names.js';
import { UPDATE } from '../../src/contract/steering.js';
import { startProgram } from './cli-process.js';
import { openFactory } from './factory.js';
import { scheduler } from './scheduler.js';
import { holdUploads } from './slow-registry.js';

describe('pause, resume and concurrency', () => {
  it('change a run that is going, and say how it is then', async () => {
    const factory = await openFactory({ images: ({ repository }) => repository.startsWith('harness/') });
    const held = await holdUploads(factory.target.host);
    const { run, env } = await scheduler(factory.temporal);
    const input = { registry: `${held.host}/ci`, scan: false, maxConcurrency: 1 };
    const handle = await factory.start(WORKFLOW.imageFactory, input);
    await held.firstUpload;
    const named = ['--workflow-id', handle.workflowId];

    expect(await run('pause', ...named)).toMatchObject({
      code: 0,
      stdout: `${handle.workflowId}: paused, nothing new starts; 1 image is in work (at most 1 at once after resume)\n`,
    });
    const faster = await run('concurrency', '3', '--json', ...named);
    expect(JSON.parse(faster.stdout)).toEqual({ version: 1, paused: true, maxConcurrency: 3, running: 1 });
    const plain = [
      'workflow',
      'update',
      'execute',
      '--name',
      UPDATE.setConcurrency,
      '--input',
      '4',
      ...named,
    ];
    expect((await startProgram('temporal', plain, env).ended).stdout).toContain('maxConcurrency:4');
    expect((await run('resume', ...named)).stdout).toContain(': going, at most 4 at once; ');
    held.release();
    await handle.result();
    expect(await run('pause', ...named)).toMatchObject({
      code: 2,
      stderr: `the run ${handle.workflowId} has ended already, and none is going\n`,
    });
  });

  it('say which runs are going when the id is another', async () => {
    const { temporal, run } = await scheduler();
    const missing = temporal.uniqueId('none');
    expect(await run('pause', '--workflow-id', missing)).toMatchObject({
      code: 2,
      stderr: `there is no run under the id ${missing}, and none is going\n`,
    });
    const { client, taskQueue, uniqueId } = temporal;
    const handle = await client.workflow.start(WORKFLOW.imageFactory, {
      workflowId: uniqueId('going'),
      taskQueue,
      args: [{}],
    });
    await expect
      .poll(async () => (await run('resume', '--workflow-id', missing)).stderr, { timeout: 20_000 })
      .toContain(`going now (name it with --workflow-id): ${handle.workflowId}`);
    // Nobody would answer, and the update would be carried out whenever somebody does.
    expect(await run('pause', '--workflow-id', handle.workflowId)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('no worker polls'),
    });
    await handle.terminate();
  });

  it('pass on why a workflow refuses', async () => {
    const factory = await openFactory({ images: ({ repository }) => repository === 'harness/ci-addon' });
    const held = await holdUploads(factory.target.host);
    const { run } = await scheduler(factory.temporal);
    const handle = await factory.start(WORKFLOW.imageFactory, { registry: `${held.host}/ci`, scan: false });
    await held.firstUpload;
    const children = factory.temporal.client.workflow.list({
      query: `TaskQueue = '${factory.temporal.taskQueue}' AND WorkflowType = 'mirrorImage'`,
    });
    for await (const { workflowId } of children) {
      const { code, stderr } = await run('pause', '--workflow-id', workflowId);
      expect(code).toBe(2);
      expect(stderr).toMatch(new RegExp(`^${workflowId} refuses: .+\n$`));
    }
    held.release();
    await handle.result();
  });

  it.each(['51', 'many'])('refuse %s images at once', async (count) => {
    const { run } = await scheduler();
    expect(await run('concurrency', count)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: 'concurrency takes a whole number from 1 to 50\n',
    });
  });
});
