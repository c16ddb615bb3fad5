import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from './fake-tools.js';

const COUNT = fileURLToPath(new URL('../../.ci/count.mjs', import.meta.url));

interface Suite {
  status: 'passed' | 'failed';
  assertionResults: { status: string; fullName: string }[];
}

const suite = (...statuses: string[]): Suite => ({
  status: statuses.includes('failed') ? 'failed' : 'passed',
  assertionResults: statuses.map((status) => ({ status, fullName: `a ${status} test` })),
});

/** The last line and the exit code for a run's results. */
async function count(
  suites: Suite[] | undefined,
  failedSteps: number,
  testsCode: number,
  ...further: (Suite[] | undefined)[]
) {
  const directory = await temporaryDirectory();
  const files = [suites, ...further].map((results, n) => ({ results, file: join(directory, `${n}.json`) }));
  for (const { results, file } of files)
    if (results !== undefined) await writeFile(file, JSON.stringify({ testResults: results }));
  const args = [COUNT, String(failedSteps), String(testsCode), ...files.map(({ file }) => file)];
  const { stdout, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return [stdout.trimEnd().split('\n').at(-1), status];
}

describe('the closing line of a CI run', () => {
  it('counts tests of all files', async () => {
    expect(await count([suite('passed', 'passed'), suite('passed')], 0, 0)).toEqual([
      '3 passed, 0 failed',
      0,
    ]);
    expect(await count([suite('passed', 'failed'), suite('failed')], 0, 1)).toEqual([
      '1 passed, 2 failed',
      1,
    ]);
  });

  it('takes a skipped test for a failed one', async () => {
    expect(await count([suite('passed', 'skipped', 'todo')], 0, 0)).toEqual(['1 passed, 2 failed', 1]);
  });

  it('counts a file that could not be loaded', async () => {
    const broken: Suite = { status: 'failed', assertionResults: [] };
    expect(await count([suite('passed'), broken], 0, 1)).toEqual(['1 passed, 1 failed', 1]);
  });

  it('counts lint, types and build, each as one', async () => {
    expect(await count([suite('passed')], 2, 0)).toEqual(['1 passed, 2 failed', 1]);
  });

  it('never passes without a test that passed', async () => {
    expect(await count(undefined, 0, 1)).toEqual(['0 passed, 1 failed', 1]);
    expect(await count([], 0, 0)).toEqual(['0 passed, 1 failed', 1]);
    expect(await count(undefined, 1, 0)).toEqual(['0 passed, 1 failed', 1]);
  });

  it('adds up several runs, of which none may be without results', async () => {
    expect(await count([suite('passed')], 0, 0, [suite('passed')])).toEqual(['2 passed, 0 failed', 0]);
    expect(await count([suite('passed')], 0, 0, undefined)).toEqual(['1 passed, 1 failed', 1]);
  });

  it('fails when the run failed outside of any test', async () => {
    expect(await count([suite('passed')], 0, 1)).toEqual(['1 passed, 1 failed', 1]);
  });
});
