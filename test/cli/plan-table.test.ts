import { describe, expect, it } from 'vitest';
import { printResult } from '../../src/cli/run.js';
import type { PlanResult } from '../../src/contract/plan.js';
import { item } from '../support/report-fixture.js';
import { screen } from './screen.js';

const plan = (more: Partial<PlanResult> = {}): PlanResult => ({
  kind: 'plan',
  runId: 'run',
  registry: 'registry.example.com/ci',
  items: [
    item('harness/ci-addon:1.16.92'),
    item('plugins/s3:1.5.3', { state: 'update', drift: 'replaced', reason: 'the tag holds something else' }),
  ],
  pages: [],
  counts: { create: 1, update: 1, unchanged: 0, 'needs-scan': 0, unresolved: 0 },
  ...more,
});

describe('a plan', () => {
  it('is a table: image, state, how many fields, and why, drift named', () => {
    const terminal = screen();
    printResult(plan(), false, terminal);
    expect(terminal.out().split('\n')).toEqual([
      'image                     state   fields  why',
      'harness/ci-addon:1.16.92  create  1       the registry does not hold it',
      'plugins/s3:1.5.3          update  1       drift: the tag holds something else',
      '',
      '2 images for registry.example.com/ci: 1 create, 1 update. Nothing was changed.',
      '',
    ]);
  });

  it('says who would build, and what becomes of platforms that it can’t build', () => {
    const terminal = screen();
    const state = { version: '20.10.24', platforms: ['linux/amd64', 'linux/386'] };
    printResult(plan({ engine: { onUnbuildablePlatform: 'copy', state } }), false, terminal);
    expect(terminal.out()).toContain(
      'build: Docker Engine 20.10.24 for linux/amd64, linux/386; other platforms are copied with labels only\n',
    );
    const none = screen();
    const fault = 'nothing answers at DOCKER_HOST: start it';
    printResult(plan({ engine: { onUnbuildablePlatform: 'fail', state: null, fault } }), false, none);
    expect(none.out()).toContain(`build: no Docker Engine can be used now: ${fault}\n`);
  });

  it('says how many images the table leaves out', () => {
    const terminal = screen();
    const counts = { ...plan().counts, unchanged: 70 };
    printResult(plan({ counts }), false, terminal);
    expect(terminal.out()).toContain('… and 70 more');
  });

  it.each([true, false])('with an image that can’t be resolved ends with 1 (JSON: %s)', (json) => {
    const terminal = screen();
    const counts = { ...plan().counts, unresolved: 1 };
    expect(() => printResult(plan({ counts }), json, terminal)).toThrow(expect.objectContaining({ code: 1 }));
    expect(terminal.out()).toContain('harness/ci-addon');
  });
});
