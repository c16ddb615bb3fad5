import { describe, expect, it } from 'vitest';
import { ProgressPrinter } from '../../src/cli/follow.js';
import type { StepRecord } from '../../src/contract/outcome.js';
import type { RunProgress } from '../../src/contract/progress.js';
import { screen } from './screen.js';

const steps = (...names: StepRecord['step'][]): StepRecord[] =>
  names.map((step) => ({ step, at: '2026-03-01T02:03:00.000Z', ms: 1200 }));

const run = (phase: RunProgress['phase'], finished: RunProgress['finished'] = []): RunProgress => ({
  version: 1,
  phase,
  runId: 'run',
  images: 2,
  counts: {},
  paused: false,
  maxConcurrency: 5,
  running: [],
  finished,
});

const work = (image: string, done: StepRecord[]) => ({ version: 1 as const, image, step: null, steps: done });

const mirrored = {
  image: 'harness/ci-addon:1.16.92',
  kind: 'mirrored' as const,
  note: '2 platforms verified',
  steps: steps('scan', 'build', 'push', 'verify'),
};
const blocked = {
  image: 'plugins/kaniko:1.10.6',
  kind: 'blocked' as const,
  note: '1 fixable CRITICAL on linux/amd64 (CVE-2022-37434 in zlib1g)',
  steps: steps('scan'),
};

describe('a followed run', () => {
  it('says each phase, step and outcome once, however often it is looked at', () => {
    const terminal = screen();
    const printer = new ProgressPrinter(terminal);
    printer.show(run('resolve'), []);
    printer.show(run('mirror'), []);
    printer.show(run('mirror'), [work(mirrored.image, steps('scan')), work(blocked.image, [])]);
    printer.show(run('mirror'), [work(mirrored.image, steps('scan', 'build'))]);
    printer.show(run('mirror', [blocked]), [work(mirrored.image, steps('scan', 'build'))]);
    printer.show(run('report', [blocked, mirrored]), []);
    printer.show(run('done', [blocked, mirrored]), []);
    expect(terminal.out().split('\n')).toEqual([
      'resolve',
      'mirror (2 images)',
      '  harness/ci-addon:1.16.92                      scan        1.2 s',
      '  harness/ci-addon:1.16.92                      build       1.2 s',
      '  plugins/kaniko:1.10.6                         scan        1.2 s',
      `✗ plugins/kaniko:1.10.6                         blocked     ${blocked.note}`,
      '  harness/ci-addon:1.16.92                      push        1.2 s',
      '  harness/ci-addon:1.16.92                      verify      1.2 s',
      '✓ harness/ci-addon:1.16.92                      mirrored    2 platforms verified',
      'report',
      '',
    ]);
  });

  it('that a late look finds at its end still has its images under their own heading', () => {
    const terminal = screen();
    new ProgressPrinter(terminal).show(run('done', [{ ...mirrored, kind: 'unchanged', steps: [] }]), []);
    expect(terminal.out()).toMatch(/^mirror \(2 images\)\n= harness\/ci-addon\S+ +unchanged +2 platforms/);
  });

  it('that only plans has no heading for what it does not do', () => {
    const terminal = screen();
    const printer = new ProgressPrinter(terminal);
    for (const phase of ['discover', 'plan', 'done'] as const) printer.show(run(phase), []);
    expect(terminal.out()).toBe('discover\nplan\n');
  });

  it('keeps a long note in its own column of a narrow terminal', () => {
    const terminal = screen(80, { NO_COLOR: '1' });
    new ProgressPrinter(terminal).show(run('mirror', [blocked]), []);
    const lines = terminal.out().trimEnd().split('\n').slice(2);
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    expect(lines[1]).toMatch(/^ {56}\S/);
  });

  it('keeps its columns where they are when a name is longer than most', () => {
    const terminal = screen();
    const image = `some/${'long'.repeat(12)}:1`;
    const ends = [mirrored, { ...mirrored, image }, { ...mirrored, image: 'a/b:1' }];
    new ProgressPrinter(terminal).show(
      run(
        'mirror',
        ends.map((end) => ({ ...end, steps: [] })),
      ),
      [],
    );
    const [, before = '', long = '', after = ''] = terminal.out().split('\n');
    expect(long).toContain(`${image}  mirrored`);
    expect(after.indexOf('mirrored')).toBe(before.indexOf('mirrored'));
  });
});
