import { describe, expect, it } from 'vitest';
import { WORKFLOW } from '../../src/contract/names.js';
import { type CliProcess, startProgram } from './cli-process.js';
import { type Factory, openFactory } from './factory.js';
import { scheduler } from './scheduler.js';
import { holdUploads } from './slow-registry.js';

const ENTRY = new URL('../../src/client.ts', import.meta.url).pathname;
const SHOW_CURSOR = '\u001b[?25h';

/** The command line in a terminal of its own, 100 columns wide, as `script` of util-linux makes one. */
function inTerminal(args: readonly string[], env: Record<string, string>): CliProcess {
  const command = [process.execPath, '--import', 'tsx', ENTRY, ...args].map((word) => `'${word}'`).join(' ');
  const sized = `stty columns 100 rows 30; echo pid $$; exec ${command}`;
  return startProgram('script', ['-qfec', sized, '/dev/null'], { ...env, TERM: 'xterm', SHELL: '/bin/sh' });
}

/** Of the command itself, not of `script`. */
const pidOf = ({ output }: CliProcess): number => Number(/pid (\d+)/.exec(output())?.[1]);

/** A run of one image whose blobs are kept waiting. */
async function heldRun() {
  const factory: Factory = await openFactory({
    images: ({ repository }) => repository === 'harness/ci-addon',
  });
  const held = await holdUploads(factory.target.host);
  const { env, run } = await scheduler(factory.temporal);
  const handle = await factory.start(WORKFLOW.imageFactory, { registry: `${held.host}/ci`, scan: false });
  await held.firstUpload;
  return { held, env, run, handle, named: ['--workflow-id', handle.workflowId] };
}

describe('watch', () => {
  it('shows a run in a terminal as a table, can be left and joined again, and ends as the run ends', async () => {
    const { held, env, handle, named } = await heldRun();
    const first = inTerminal(['watch', ...named], env);
    await first.printed(/▸.+harness\/ci-addon:1\.16\.92 +push +\d/);
    process.kill(pidOf(first), 'SIGINT');
    const left = await first.ended;
    expect(left.code).toBe(130);
    const after = left.stdout.slice(left.stdout.lastIndexOf(SHOW_CURSOR));
    expect(after).toContain(`${handle.workflowId} goes on without this command.`);
    expect((await handle.describe()).status.name).toBe('RUNNING');

    const again = inTerminal(['watch', ...named], env);
    await again.printed(/harness\/ci-addon:1\.16\.92 +push/);
    held.release();
    const { code, stdout } = await again.ended;
    expect(code).toBe(0);
    const last = stdout.slice(stdout.lastIndexOf(SHOW_CURSOR));
    expect(last).toMatch(/done {2}1 of 1 image/);
    expect(last).toMatch(/✓ harness\/ci-addon:1\.16\.92 +mirrored/);
    expect(last).toMatch(/\n1 mirrored\r\nchanged: there is no earlier run .*\r\nreport: /);
  });

  it('gives the terminal back when it is told to end', async () => {
    const { held, env, handle, named } = await heldRun();
    const watching = inTerminal(['watch', ...named], env);
    await watching.printed(/▸/);
    process.kill(pidOf(watching), 'SIGTERM');
    const { code, stdout } = await watching.ended;
    expect(code).toBe(128 + 15);
    expect(stdout.lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(stdout.lastIndexOf('▸'));
    held.release();
    await handle.result();
  });

  it('is lines where nothing can be redrawn', async () => {
    const { held, env, handle, named } = await heldRun();
    const watching = startProgram(process.execPath, ['--import', 'tsx', ENTRY, 'watch', ...named], env);
    await watching.printed(/mirror \(1 image\)/);
    held.release();
    const { code, stdout } = await watching.ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}harness\/ci-addon:1\.16\.92 +push +\d/m);
    expect(stdout).toContain('1 mirrored');
    expect(stdout).not.toContain('\u001b');
    await handle.result();
  });

  it('says when there is no run, and when the id is of something else', async () => {
    const { run, temporal } = await scheduler();
    const missing = temporal.uniqueId('none');
    expect(await run('watch', '--workflow-id', missing)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`there is no run under the id ${missing}`),
    });
    const { client, taskQueue, uniqueId } = temporal;
    const other = await client.workflow.start(WORKFLOW.planImages, {
      workflowId: uniqueId('plan'),
      taskQueue,
      args: [{}],
    });
    expect(await run('watch', '--workflow-id', other.workflowId)).toMatchObject({
      code: 2,
      stderr: `${other.workflowId} is no run, but a workflow of type planImages\n`,
    });
    await other.terminate();
  });
});
