import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runProgram } from '../../src/common/process.js';
import { temporaryDirectory } from '../support/directory.js';
import { isRunning } from '../support/running.js';

const PARENT = fileURLToPath(new URL('./lifeline-parent.ts', import.meta.url));
const options = { env: { PATH: process.env.PATH ?? '' }, timeoutMs: 30_000, endsWithUs: true };

describe('a program that ends with us', () => {
  it.each(['SIGKILL', 'SIGTERM'] as const)('is gone, with its children, when we get %s', async (signal) => {
    const file = join(await temporaryDirectory(), 'pids');
    const parent = spawn(process.execPath, ['--import', 'tsx', PARENT, file], { stdio: 'inherit' });
    onTestFinished(() => void parent.kill('SIGKILL'));
    await expect.poll(() => readFile(file, 'utf8').catch(() => ''), { timeout: 20_000 }).not.toBe('');
    const pids = (await readFile(file, 'utf8')).split(' ').map(Number);
    expect(pids).toHaveLength(2);
    expect(await Promise.all(pids.map(isRunning))).toEqual([true, true]);
    parent.kill(signal);
    await expect.poll(() => Promise.all(pids.map(isRunning)), { timeout: 20_000 }).toEqual([false, false]);
  });

  it('gets its arguments as they are, and nothing to read', async () => {
    const odd = ['$(echo x)', 'a \'b\' "c"', '', '; exit 3', '*'];
    const script =
      'process.stdin.resume().on("end", () => console.log(JSON.stringify(process.argv.slice(1))))';
    const result = await runProgram(process.execPath, ['-e', script, '--', ...odd], options);
    expect([result.code, JSON.parse(result.stdout)]).toEqual([0, odd]);
  });

  it.each([
    ['its own code', ['/bin/sh', '-c', 'exit 7'], 7],
    ['127 when there is no such program', ['no-such-program'], 127],
    ['126 when it can not be run', [PARENT], 126],
  ])('ends with %s', async (_, [program = '', ...args], code) => {
    expect((await runProgram(program, args, options)).code).toBe(code);
  });
});

describe('a program that leaves something behind', () => {
  it.each([true, false])('has ended when it ends itself (ends with us: %s)', async (endsWithUs) => {
    const script = 'sleep 60 & echo "$!"';
    const { code, stdout } = await runProgram('/bin/sh', ['-c', script], { ...options, endsWithUs });
    expect(code).toBe(0);
    await expect.poll(() => isRunning(Number(stdout))).toBe(false);
  });

  it('that is out of reach and holds its output is waited for no longer than allowed', async () => {
    const file = join(await temporaryDirectory(), 'pid');
    const left = 'echo $$ >"$0"; exec sleep 60';
    const script = `setsid sh -c '${left}' "$0" & until [ -s "$0" ]; do :; done`;
    await expect(
      runProgram('/bin/sh', ['-c', script, file], { ...options, endsWithUs: false, timeoutMs: 3000 }),
    ).rejects.toThrow('took longer than 3 s');
    process.kill(Number(await readFile(file, 'utf8')), 'SIGKILL');
  });
});
