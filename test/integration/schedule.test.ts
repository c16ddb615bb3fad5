import { fileURLToPath } from 'node:url';
import type { ScheduleDescription } from '@temporalio/client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runProgram } from '../../src/common/process.js';
import { startTemporal } from '../../src/demo/services/temporal.js';
import { calendarText, canonicalCron } from '../../src/temporal/cron.js';
import { factsOf } from '../../src/temporal/schedule-facts.js';
import { commandLines, ROOT, readDocument } from '../docs/document.js';
import { temporaryDirectory } from '../support/directory.js';
import { few, openFactory } from './factory.js';
import { connectTo, scheduler } from './scheduler.js';

const NIGHTLY = [
  '--cron',
  '0 4 * * *',
  '--time-zone',
  'Europe/Berlin',
  '--registry',
  'registry.example.com/ci',
];

describe('schedule apply', () => {
  it('makes a schedule with everything fixed, and changes nothing when it is done again', async () => {
    const { schedule, handle } = await scheduler();
    const created = await schedule('apply', ...NIGHTLY);
    expect(created).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining(': created\nnext run: '),
    });
    const { spec, action, policies, state } = await handle.describe();
    expect(spec.calendars?.map(calendarText)).toEqual(['0 4 * * *']);
    expect(spec.timezone).toBe('Europe/Berlin');
    expect(policies).toEqual({ overlap: 'SKIP', catchupWindow: 6 * 3_600_000, pauseOnFailure: false });
    expect(state).toMatchObject({ paused: false });
    expect(action).toMatchObject({
      workflowType: 'imageFactory',
      workflowId: 'image-factory',
      workflowExecutionTimeout: 10 * 3_600_000,
      staticSummary: 'mirror the CI images',
      args: [{ registry: 'registry.example.com/ci' }],
    });

    expect((await schedule('apply', ...NIGHTLY)).stdout).toContain(': unchanged\n');
    // No write either: one would discard what the server is just catching up with.
    expect((await handle.describe()).info.lastUpdatedAt).toBeUndefined();
  });

  it('has its next times shown in its own time zone', async () => {
    const { schedule } = await scheduler();
    await schedule('apply', ...NIGHTLY);
    const shown = (await schedule('show')).stdout;
    const times = /^next: (.+)$/m.exec(shown)?.[1]?.split(', ') ?? [];
    expect(times).toHaveLength(3);
    for (const time of times) expect(time).toMatch(/^\d{4}-\d\d-\d\d 04:00:00 Europe\/Berlin$/);
  });

  it('finds nothing to change in expressions that only the server can read', async () => {
    const { schedule } = await scheduler();
    const rare = ['--cron', '30 5 * * MON-FRI', '--cron', '@weekly', '--time-zone', 'UTC'];
    expect((await schedule('apply', ...rare)).stdout).toContain(': created\n');
    expect((await schedule('apply', ...rare)).stdout).toContain(': unchanged\n');
  });

  it('puts back what somebody changed, says what, and leaves a paused one paused with its reason', async () => {
    const { schedule, handle, id } = await scheduler();
    await schedule('apply', ...NIGHTLY, '--no-scan');
    await handle.update((before) => ({
      ...before,
      spec: { cronExpressions: ['15 7 * * *'], timezone: 'UTC', jitter: '5m' },
      policies: { overlap: 'ALLOW_ALL', catchupWindow: '1m', pauseOnFailure: true },
      action: {
        ...before.action,
        args: [{ registry: 'elsewhere.example.com', dryRun: true }],
        workflowExecutionTimeout: 0,
      },
    }));
    await handle.pause('the registry moves');

    const again = await schedule('apply', ...NIGHTLY, '--no-scan');
    expect(again.stdout.split('\n')).toEqual([
      `${id}: updated`,
      '  when: 15 7 * * * → 0 4 * * *',
      '  time zone: UTC → Europe/Berlin',
      '  overlap: ALLOW_ALL → SKIP',
      '  catch-up window: 1m → 6h',
      '  execution timeout: none → 10h',
      '  input.scan: none → false',
      '  input.registry: "elsewhere.example.com" → "registry.example.com/ci"',
      '  jitter: 5m → none',
      '  pause on failure: true → none',
      '  input.dryRun: true → none',
      'paused (the registry moves): nothing runs until it is unpaused',
      '',
    ]);
    expect((await handle.describe()).state).toMatchObject({ paused: true, note: 'the registry moves' });
    expect(JSON.parse((await schedule('apply', '--json', ...NIGHTLY, '--no-scan')).stdout)).toMatchObject({
      outcome: 'unchanged',
      changes: [],
      paused: true,
    });
  });

  it('never shows a key that somebody put into the input past it', async () => {
    const { schedule, handle } = await scheduler();
    await schedule('apply', ...NIGHTLY);
    const args = [{ registry: 'registry.example.com/ci', harnessApiKeySecret: 'pat.acc.token.s3cretS3cret' }];
    await handle.update((before) => ({ ...before, action: { ...before.action, args } }));
    const shown = await schedule('show');
    const applied = await schedule('apply', ...NIGHTLY);
    expect(applied.stdout).toContain('input.harnessApiKeySecret: (a key) → none');
    expect(shown.stdout + applied.stdout).not.toContain('s3cret');
  });

  it.each([
    ['a cron expression', ['--cron', '0 25 * * *', '--time-zone', 'UTC'], 'Hour is not in range [0-23]'],
    ['two time zones', ['--cron', 'TZ=Asia/Tokyo 0 4 * * *', '--time-zone', 'UTC'], 'conflicting timezone'],
    ['no time zone', ['--cron', '0 4 * * *'], '--time-zone'],
    ['a time zone', ['--cron', '0 4 * * *', '--time-zone', 'Mars/Olympus'], '--time-zone takes an IANA name'],
    [
      'an offset for a zone',
      ['--cron', '0 4 * * *', '--time-zone', '+02:00'],
      '--time-zone takes an IANA name',
    ],
    ['a zone in small letters', ['--cron', '0 4 * * *', '--time-zone', 'europe/berlin'], 'unknown time zone'],
    ['a time', [...NIGHTLY, '--catch-up', 'long'], '--catch-up takes a time such as'],
    ['a field', [...NIGHTLY, '--infra', 'K9'], 'infra'],
    ['a flag in --input', [...NIGHTLY, '--input', '{"cron":"x"}'], 'unknown field'],
    ['a key', [...NIGHTLY, '--harness-api-key-secret', 'pat.acc.token.s3cretS3cret'], 'looks like a key'],
  ])('refuses %s that is wrong in one sentence, and makes nothing', async (_what, args, sentence) => {
    const { schedule, handle } = await scheduler();
    const { code, stdout, stderr } = await schedule('apply', ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(sentence);
    expect(stderr).not.toContain('s3cret');
    await expect(handle.describe()).rejects.toThrow('not found');
  });
});

describe('a schedule', () => {
  it.each(['show', 'run', 'delete'])('that does not exist can’t be asked to %s', async (verb) => {
    const { schedule, id } = await scheduler();
    const { code, stderr } = await schedule(verb);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: `there is no schedule ${id}: make one with image-factory schedule apply\n`,
    });
  });

  it('starts a run by hand, but none beside one that is going; the skip shows; deleting it leaves the run', async () => {
    const { schedule, handle, temporal } = await scheduler();
    await schedule('apply', ...NIGHTLY);
    const { started } = JSON.parse((await schedule('run', '--json')).stdout);
    expect(started).toMatch(/^image-factory-\d{4}-/);
    const second = await schedule('run');
    expect(second).toMatchObject({ code: 0, stdout: `skipped: a run is going (${started})\n` });
    const shown = JSON.parse((await schedule('show', '--json')).stdout);
    expect(shown).toMatchObject({
      paused: false,
      runs: [{ workflowId: started, status: 'RUNNING', failure: null }],
      skipped: { overlap: 1, missedCatchUp: 0, nights: [], last: false },
    });
    expect(shown.next.length).toBeGreaterThan(1);
    expect((await schedule('show')).stdout).toContain('skipped since a run was still going: 1');

    expect(await schedule('delete')).toMatchObject({ code: 0, stdout: expect.stringContaining('deleted') });
    await expect(handle.describe()).rejects.toThrow('not found');
    const run = temporal.client.workflow.getHandle(started);
    expect((await run.describe()).status.name).toBe('RUNNING');
    await run.terminate();
  });

  it('tells in show, status and doctor which times passed without a run', async () => {
    const { schedule, run, id, handle } = await scheduler();
    // Every other second, and nobody works: the first run is still going when the next is due.
    const often = ['--cron', '*/2 * * * * * *', '--time-zone', 'UTC', '--registry', 'registry.example.com'];
    await schedule('apply', ...often);
    await expect
      .poll(async () => (await run('status', '--workflow-id', 'none')).stderr, {
        timeout: 40_000,
        interval: 500,
      })
      .toContain(`${id} started nothing at`);
    expect((await schedule('show')).stdout).toMatch(/nothing started in the last week at: \d{4}-/);
    const checks: { check: string }[] = JSON.parse((await run('doctor', '--json')).stdout);
    expect(checks.find(({ check }) => check === 'schedule')).toMatchObject({
      status: 'warn',
      found: expect.stringMatching(/started nothing at .*; image-factory-.* is still going/),
      mend: expect.stringContaining(`schedule show --schedule-id ${id}`),
    });
    await handle.pause('enough');
    const paused: { check: string }[] = JSON.parse((await run('doctor', '--json')).stdout);
    expect(paused.find(({ check }) => check === 'schedule')).toMatchObject({
      found: `${id} is paused (enough)`,
    });
  });

  it('tells how its last run failed; without one, doctor says that there is none', async () => {
    const factory = await openFactory({ images: few });
    const { schedule, run } = await scheduler(factory.temporal);
    const check = async () => {
      const results: { check: string }[] = JSON.parse((await run('doctor', '--json')).stdout);
      return results.find((result) => result.check === 'schedule');
    };
    expect(await check()).toMatchObject({ status: 'ok', found: expect.stringContaining('there is none') });
    // The worker's environment has no registry either, so that the run has none.
    await schedule('apply', '--cron', '0 4 * * *', '--time-zone', 'Europe/Berlin');
    const { started } = JSON.parse((await schedule('run', '--json')).stdout);
    await expect(factory.temporal.client.workflow.getHandle(started).result()).rejects.toThrow();
    expect((await schedule('show')).stdout).toMatch(new RegExp(`${started} +failed: InvalidInput: registry`));
    expect(await check()).toMatchObject({ status: 'warn', found: expect.stringContaining('InvalidInput') });
  });
});

describe('a cron expression', () => {
  it.each([
    '0 4 * * *',
    '*/15 1-5/2 1,15 1-3,12 0',
    '5/20 0-23 */10 * 1-5',
    '0-0 7 1-31 */2 6,2',
    '59 23 31 12 6',
  ])('%s is read here as the server reads it', async (cron) => {
    const { schedule, handle } = await scheduler();
    await schedule('apply', '--cron', cron, '--time-zone', 'UTC');
    const { spec } = await handle.describe();
    expect(spec.calendars?.map(calendarText)).toEqual([canonicalCron(cron)]);
  });

  it.each([
    '0 25 * * *',
    '0 4 * *',
    '@daily',
    '0 4 * * MON',
    '0 4 0 * *',
    '9-5 4 * * *',
    '0 4 * * 7',
    '*/0 * * * *',
  ])('%s is left to the server', (cron) => {
    expect(canonicalCron(cron)).toBeUndefined();
  });
});

describe('the README’s schedule', () => {
  it('is the same by our command as by Temporal’s own', async () => {
    // A server of its own, since a reader uses the default ids and task queue.
    const temporal = await startTemporal({ uiPort: false });
    onTestFinished(() => temporal.stop());
    const env = {
      PATH: process.env.PATH ?? '',
      HOME: await temporaryDirectory(),
      TEMPORAL_ADDRESS: temporal.address,
    };
    const client = await connectTo(temporal.address);
    const handle = client.schedule.getHandle('image-factory-nightly');
    const commands = commandLines(await readDocument('README.md')).filter((line) => / schedule /.test(line));
    const made: ScheduleDescription[] = [];
    for (const command of commands) {
      const byTemporal = command.startsWith('temporal ');
      if (byTemporal) {
        made.push(await handle.describe());
        await handle.delete();
      }
      const end = await runProgram('bash', ['-c', command], {
        env,
        cwd: fileURLToPath(ROOT),
        timeoutMs: 60_000,
      });
      expect(end.code, `${command}\n${end.stdout}\n${end.stderr}`).toBe(0);
    }
    made.push(await handle.describe());
    const [ours, plain, ...more] = made;
    if (ours === undefined || plain === undefined || more.length > 0) throw new Error('two were expected');
    expect(factsOf(plain)).toEqual(factsOf(ours));
    expect(essential(plain)).toEqual(essential(ours));
    expect(ours.info.numActionsTaken).toBe(1);
  });
});

/** All that the server holds of a schedule's definition, without what says nothing. */
function essential({ raw, action: { args } }: ScheduleDescription): unknown {
  const { spec, action, policies, state } = JSON.parse(JSON.stringify(raw.schedule));
  // Ten seconds is Temporal's default: its CLI sends it, the SDK leaves it to the server.
  expect([undefined, '10']).toContain(action.startWorkflow.workflowTaskTimeout?.seconds);
  delete action.startWorkflow.workflowTaskTimeout;
  action.startWorkflow.input = args; // the JSON's value, whatever its spaces
  return said({ spec, action, policies, state });
}

function said(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(said);
  if (typeof value !== 'object' || value === null) return value || undefined;
  const entries = Object.entries(value).flatMap(([name, item]) => {
    const rest = said(item);
    return rest === undefined ? [] : [[name, rest]];
  });
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}
