import { WorkflowNotFoundError } from '@temporalio/client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WORKFLOW } from '../../src/contract/names.js';
import { temporaryDirectory } from '../support/directory.js';
import { openTemporal } from '../support/temporal.js';
import { cli, startCli, startProgram } from './cli-process.js';
import { type Factory, few, openFactory } from './factory.js';
import { holdUploads } from './slow-registry.js';

/** The caller's environment: where Temporal is, and none of the worker's secrets. */
const callerOf = ({ env, directory }: Factory): Record<string, string> => ({
  PATH: env.PATH,
  HOME: directory,
  TEMPORAL_ADDRESS: env.TEMPORAL_ADDRESS,
  TEMPORAL_TASK_QUEUE: env.TEMPORAL_TASK_QUEUE,
});

const flagsOf = ({ input }: Factory): string[] => [
  ...['--registry', input.registry, '--registry-connector', input.registryConnector],
  ...['--modify-default', '--gather-scan-template', input.gatherScanTemplate],
];

/** A Temporal server with nobody at the task queue. */
async function idle() {
  const temporal = await openTemporal();
  onTestFinished(() => temporal.close());
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: await temporaryDirectory(),
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_TASK_QUEUE: temporal.taskQueue,
  };
  return { temporal, env, id: temporal.uniqueId('run') };
}

describe('the command line', () => {
  it('says why a step is tried again while it waits, in plan, run and status', async () => {
    const factory = await openFactory({ images: few });
    // More than the test meets: a step that is retried for as long as anybody looks.
    const down = { how: { kind: 'answer', status: 500, body: 'down' } } as const;
    factory.harness.fail(...Array.from({ length: 50 }, () => down));
    const plan = startCli(['plan', '--registry', factory.input.registry], factory.env);
    await plan.printed(/discoverImages.*attempt \d+ follows/);
    plan.child.kill('SIGINT');
    await plan.ended;
    const id = factory.temporal.uniqueId('run');
    const run = startCli(['run', '--workflow-id', id, '--input', JSON.stringify(factory.input)], factory.env);
    await run.printed(/discoverImages.*attempt \d+ follows/);
    const status = await cli(['status', '--workflow-id', id], factory.env);
    expect(status.stdout).toMatch(/! discoverImages, attempt \d+ follows/);
    await factory.temporal.client.workflow.getHandle(id).cancel();
    const cancelled = await run.ended;
    expect(cancelled.code).toBe(1);
    expect(cancelled.stdout).toMatch(/^report: /m);
  });

  it('plans, runs, tells where the run is, undoes it; the Temporal CLI alone does the same', async () => {
    const factory = await openFactory({ images: few });
    const { temporal, harness, fleet } = factory;
    const env = callerOf(factory);
    const flags = flagsOf(factory);
    const id = temporal.uniqueId('cli');

    const plan = await cli(['plan', ...flags], env);
    expect(plan).toMatchObject({ code: 0, stderr: '' });
    expect(plan.stdout).toMatch(/^harness\/ci-addon:1\.16\.92 +create +\d/m);
    const planned = JSON.parse((await cli(['plan', '--json', ...flags], env)).stdout);
    expect(planned).toMatchObject({ kind: 'plan', counts: { create: fleet.length } });

    const run = await cli(['run', '--workflow-id', id, ...flags], env);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    for (const step of ['scan', 'build', 'push', 'verify', 'mirrored']) {
      expect(run.stdout).toMatch(new RegExp(`harness/ci-addon:1\\.16\\.92 +${step} `));
    }
    expect(run.stdout).toContain('2 mirrored');

    expect((await cli(['status', '--workflow-id', id], env)).stdout).toContain(`${id}: completed`);
    const status = JSON.parse((await cli(['status', '--json', '--workflow-id', id], env)).stdout);
    expect(status).toMatchObject({ workflowId: id, status: 'COMPLETED', progress: { phase: 'done' } });
    expect(Object.keys(harness.state.overrides.K8)).not.toEqual([]);

    const restored = await cli(['restore', status.progress.runId], env);
    expect(restored).toMatchObject({ code: 0, stdout: expect.stringMatching(/^K8: /) });
    expect(harness.state.overrides.K8).toEqual({});

    const again = await cli(['run', '--json', '--workflow-id', temporal.uniqueId('cli'), ...flags], env);
    const byHand = await startProgram(
      'temporal',
      [
        ...['workflow', 'execute', '--type', WORKFLOW.imageFactory, '--task-queue', temporal.taskQueue],
        ...['--workflow-id', temporal.uniqueId('by-hand'), '--input', JSON.stringify(factory.input)],
        ...['--output', 'json'],
      ],
      env,
    ).ended;
    expect([again.code, byHand.code]).toEqual([0, 0]);
    const { counts, registry } = JSON.parse(again.stdout);
    expect(counts).toMatchObject({ unchanged: fleet.length, mirrored: 0 });
    expect(JSON.parse(byHand.stdout).result).toMatchObject({ kind: 'run', counts, registry });
  }, 120_000);

  it('ends with 1 when an image was blocked, and its JSON on standard output is whole', async () => {
    const factory = await openFactory({ images: ({ expected }) => expected === 'blocked' });
    const { code, stdout, stderr } = await cli(
      ['run', '--json', '--workflow-id', factory.temporal.uniqueId('cli'), ...flagsOf(factory)],
      callerOf(factory),
    );
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'run', counts: { blocked: 2, mirrored: 0 } });
    expect(stderr).toContain('ImagesFailed');
  });

  it('joins a run with the same input, refuses another one, and Ctrl-C leaves the run alone', async () => {
    const factory = await openFactory({ images: few });
    const held = await holdUploads(factory.target.host);
    const env = callerOf(factory);
    const id = factory.temporal.uniqueId('cli');
    const same = ['run', '--workflow-id', id, '--registry', `${held.host}/ci`, '--no-scan'];

    const detached = await cli([...same, '--detach'], env);
    expect(detached).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`status --workflow-id ${id}`),
    });
    await held.firstUpload;
    expect((await cli(['status', '--workflow-id', id], env)).stdout).toMatch(/ci-addon\S+ +in work/);

    const other = await cli(
      [...same, '--modify-default', '--registry-connector', 'account.harnessImage'],
      env,
    );
    expect(other).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('another input') });

    const leaving = startCli(same, env);
    await leaving.printed(
      /joined the run[\s\S]*mirror \(2 images\)|mirror \(2 images\)[\s\S]*joined the run/,
    );
    leaving.child.kill('SIGINT');
    const left = await leaving.ended;
    expect(left.code).toBe(130);
    expect(left.stderr).toContain(`temporal workflow cancel --workflow-id ${id}`);
    const handle = factory.temporal.client.workflow.getHandle(id);
    expect((await handle.describe()).status.name).toBe('RUNNING');

    const staying = startCli(same, env);
    await staying.printed(/joined the run/);
    held.release();
    const stayed = await staying.ended;
    expect(stayed.code).toBe(0);
    expect(stayed.stdout).toContain('2 mirrored');
  }, 120_000);
});

describe('what can’t be run', () => {
  it('is refused with every fault named before anything is started', async () => {
    const { temporal, env, id } = await idle();
    const faulty = ['--registry', 'Not A Registry', '--max-concurrency', 'many', '--infra', 'K9'];
    const { code, stdout, stderr } = await cli(['run', '--workflow-id', id, ...faulty], env);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    for (const field of ['registry', 'maxConcurrency', 'infra']) expect(stderr).toContain(field);
    await expect(temporal.client.workflow.getHandle(id).describe()).rejects.toThrow(WorkflowNotFoundError);
  });

  it.each([
    ['in a field', ['run', '--harness-api-key-secret', 'pat.acc.token.s3cretS3cret']],
    ['in --input', ['plan', '--input', '{"harnessUrl":"pat.acc.token.s3cretS3cret"}']],
    ['in an unknown flag', ['run', '--harness-api-key=pat.acc.token.s3cretS3cret']],
    ['as a run to restore', ['restore', 'pat.acc.token.s3cretS3cret']],
  ])('because there is a key %s, is refused without an echo', async (_where, args) => {
    const { env } = await idle();
    const { code, stdout, stderr } = await cli(args, env);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).not.toBe('');
    expect(stderr).not.toContain('s3cretS3cret');
  });

  it('because --input is no JSON, is refused with a word about it', async () => {
    const { env } = await idle();
    const end = await cli(['run', '--input', '{"registry": s3cret'], env);
    expect(end).toEqual({ code: 2, stdout: '', stderr: '--input takes one JSON object\n' });
  });

  it('since there is no such run, is no success', async () => {
    const { env, id } = await idle();
    const end = await cli(['status', '--workflow-id', id], env);
    expect(end).toMatchObject({ code: 2, stderr: expect.stringContaining(id) });
  });

  it('without Temporal, ends with 3 and says where it was looked for', async () => {
    const { env } = await idle();
    const nowhere = { ...env, TEMPORAL_ADDRESS: '127.0.0.1:1' };
    const { code, stderr } = await cli(['run', '--registry', 'registry.example.com'], nowhere);
    expect(code).toBe(3);
    expect(stderr).toContain('127.0.0.1:1');
  });

  it('yet, since no worker is there, waits and says so', async () => {
    const { temporal, env, id } = await idle();
    const args = ['run', '--workflow-id', id, '--registry', 'registry.example.com', '--detach', '--json'];
    const { code, stdout, stderr } = await cli(args, env);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ workflowId: id, runId: expect.any(String) });
    expect(stderr).toContain(`no worker polls the task queue ${temporal.taskQueue}`);
    const status = await cli(['status', '--workflow-id', id], env);
    expect(status).toMatchObject({ code: 0, stdout: expect.stringContaining('no worker answers') });
    await temporal.client.workflow.getHandle(id).terminate();
  });
});
