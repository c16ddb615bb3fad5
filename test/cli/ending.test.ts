import { describe, expect, it } from 'vitest';
import { printRun } from '../../src/cli/ending.js';
import { self } from '../../src/cli/self.js';
import type { RestoreInput } from '../../src/contract/input.js';
import type { RunResult } from '../../src/contract/outcome.js';
import type { RunProgress } from '../../src/contract/progress.js';
import { undoOf } from '../../src/contract/undo.js';
import { detailsTable } from '../../src/workflows/details.js';
import { noCounts } from '../../src/workflows/run-state.js';
import { screen } from './screen.js';

const runId = '01a20b3d-2746-7d43-9116-d271e303db10';
const undo: RestoreInput = { runId, infra: ['K8'] };
const blocked = {
  image: 'plugins/kaniko:1.10.6',
  kind: 'blocked' as const,
  note: '1 fixable CRITICAL on linux/amd64 (CVE-2022-37434 in zlib1g)',
};
const changes = {
  since: '2026-03-01T02:03:00.000Z',
  lines: ['K8 addonTag: harness/ci-addon:1 → harness/ci-addon:2'],
  more: 3,
};
const where = { json: '/reports/report.json', html: '/reports/report.html', jsonKey: 'report.json' };
const result = (more: Partial<RunResult> = {}): RunResult => ({
  kind: 'run',
  runId,
  registry: 'registry.example.com/ci',
  counts: { ...noCounts(), mirrored: 2, blocked: 1 },
  accounts: [{ infra: 'K8', kind: 'updated', reason: '2 fields set and read back' }],
  report: { ...where, changes },
  attention: [blocked],
  undo,
  ...more,
});

const said = (...args: [RunResult, number?, { told?: boolean }?]): string => {
  const terminal = screen(args[1], { NO_COLOR: '1' });
  printRun(args[0], terminal, args[2]);
  return terminal.out();
};

describe('the end of a run on a terminal', () => {
  it('says which image was blocked, why, what to do, what changed, and how to undo it', () => {
    expect(said(result()).split('\n')).toEqual([
      '',
      '2 mirrored, 1 blocked',
      `✗ ${blocked.image}  blocked  ${blocked.note}`,
      expect.stringMatching(
        /^blocked: nothing of it was pushed; wait for a fixed version.* or add an exception/,
      ),
      '1 image keeps its fields as they were: builds pull what those name',
      'changed since the run of 2026-03-01 02:03 UTC:',
      `  ${changes.lines[0]}`,
      '  and 3 more, in the report',
      'account, K8: updated: 2 fields set and read back',
      `undo in the account: ${self()} restore ${runId}`,
      'report: /reports/report.html',
      `run: ${runId}`,
      '',
    ]);
  });

  it('does not name an image again that the live table has just listed', () => {
    expect(said(result(), undefined, { told: true })).not.toContain(blocked.image);
  });

  it('says that nothing changed, that there is nothing to compare with, and that there is more to see', () => {
    expect(said(result({ report: { ...where, changes: { ...changes, lines: [], more: 0 } } }))).toContain(
      'changed since the run of 2026-03-01 02:03 UTC: nothing\n',
    );
    expect(said(result({ report: { ...where, changes: null } }))).toContain('there is no earlier run');
    const many = result({ counts: { ...noCounts(), blocked: 12 } });
    expect(said(many)).toContain('  and 11 more, in the report\n');
  });

  it('names again a Harness that the run was told of, as one word of a shell', () => {
    const harnessUrl = "https://harness.example.com/it's";
    const text = said(result({ undo: { ...undo, infra: ['K8', 'VM'], harnessUrl } }));
    expect(text).toContain(
      `restore ${runId} --infra K8,VM --harness-url 'https://harness.example.com/it'\\''s'\n`,
    );
  });

  it('of a run that touched no account has nothing to undo', () => {
    expect(said(result({ accounts: [], undo: null }))).not.toContain('undo');
  });

  it('of a worker of an older version says what that told', () => {
    const { attention: _, undo: __, ...old } = result({ report: where });
    const text = said(old);
    expect(text).toContain(`undo in the account: ${self()} restore ${runId}\n`);
    expect(text).not.toContain('changed');
  });

  it('fits a narrow terminal, but for what is to be pasted or opened', () => {
    for (const line of said(result(), 60).split('\n'))
      if (!/^(?:undo|report|run)/.test(line)) expect(line.length, line).toBeLessThanOrEqual(60);
  });
});

describe('the end of a run in the Web UI', () => {
  const progress: RunProgress = {
    version: 1,
    phase: 'done',
    runId,
    images: 3,
    paused: false,
    maxConcurrency: 5,
    counts: { mirrored: 2, blocked: 1 },
    running: [],
    finished: [{ ...blocked, steps: [] }],
    result: result(),
  };

  it('has the same story as Markdown: blocked and why, changed, undo by either command line, report', () => {
    const text = detailsTable(progress, 3, 'image-factory');
    expect(text).toContain(`| ${blocked.image} | blocked | ${blocked.note} |`);
    expect(text).toContain('**Blocked**: nothing of it was pushed; wait for a fixed version');
    expect(text).toContain(`since the run of 2026-03-01 02:03 UTC:\n\n- ${changes.lines[0]}\n- and 3 more`);
    expect(text).toContain(`\`image-factory restore ${runId}\``);
    expect(text).toContain(
      `temporal workflow start --type restoreHarness --task-queue image-factory --workflow-id restore-harness/${runId} --input '${JSON.stringify(undo)}'`,
    );
    expect(text).toContain('`/reports/report.html`');
  });

  it('does not let text of others break out of its place', () => {
    const lines = ['a`b](http://evil.example.com) | <script>\n# title'];
    const hostile = { ...progress, result: result({ report: { ...where, changes: { ...changes, lines } } }) };
    expect(detailsTable(hostile, 3, 'image-factory')).toContain(
      '- a b (http://evil.example.com)    script  # title',
    );
  });
});

describe('what undoes a run', () => {
  const account = { infra: 'VM', account: 'a', reason: '', updated: [], rejected: [] } as const;

  it('covers the infras that were touched, and the Harness that the input named in either spelling', () => {
    const accounts = [
      { ...account, kind: 'failed', snapshotKey: 'snapshot.json', updated: [], rejected: [] },
      { ...account, infra: 'K8', kind: 'refused', snapshotKey: null, updated: [], rejected: [] },
    ] as const;
    const outcomes = accounts.map((one) => ({ ...one, updated: [], rejected: [] }));
    expect(undoOf(runId, outcomes, { harnessUrl: 'https://h.example.com' })).toEqual({
      runId,
      infra: ['VM'],
      harnessUrl: 'https://h.example.com',
    });
    const old = JSON.parse('{"HARNESS_API_KEY_SECRET":"file:/run/secrets/key"}');
    expect(undoOf(runId, outcomes, old)).toMatchObject({ harnessApiKeySecret: 'file:/run/secrets/key' });
    expect(undoOf(runId, outcomes.slice(1), {})).toBeNull();
  });
});
