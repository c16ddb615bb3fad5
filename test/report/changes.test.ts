import { describe, expect, it } from 'vitest';
import type { RunSummaryForReport } from '../../src/contract/activities.js';
import { digestOf } from '../../src/registry/digest.js';
import { reportSchema } from '../../src/report/schema.js';
import { config, item, mirrored, unchanged, verdict } from '../support/report-fixture.js';
import { Reports } from './store.js';

const monday = { runId: 'monday', finishedAt: '2026-03-02T02:00:00.000Z' };
const tuesday = { runId: 'tuesday', finishedAt: '2026-03-03T02:00:00.000Z' };
const changesOf = async (reports: Reports, ...run: Parameters<Reports['write']>) =>
  reportSchema.parse(JSON.parse((await reports.write(...run)).json)).changes;

describe('changed since the last run', () => {
  it('names new, gone and changed images, verdicts and fields', async () => {
    const reports = await Reports.create();
    await reports.write([mirrored('a/same:1'), mirrored('a/gone:1'), mirrored('a/moved:1')], monday);
    const fresh = mirrored('a/moved:1', verdict({ decision: 'warn' }));
    const moved = { ...fresh, item: { ...item('a/moved:1'), sourceDigest: digestOf('a new release') } };
    const gone = {
      ...mirrored('a/new:1'),
      item: item('a/new:1', { fields: [{ infra: 'K8', field: 'goneImage' }] }),
    };
    const changes = await changesOf(reports, [unchanged('a/same:1', null), moved, gone], tuesday);
    expect(changes).toMatchObject({
      since: { run: 'monday', report: 'runs/monday/report.json' },
      appeared: ['a/new:1'],
      gone: ['a/gone:1'],
      changed: [
        { image: 'a/moved:1', what: [expect.stringMatching(/^source sha256:/), 'verdict pass → warn'] },
      ],
      fields: [{ infra: 'K8', field: 'goneImage', before: 'a/gone:1', after: 'a/new:1' }],
    });
  });

  it('is the same when the report is written again, also after a later run', async () => {
    const reports = await Reports.create();
    await reports.write([mirrored('a/b:1')], monday);
    const first = await reports.write([mirrored('a/b:2')], tuesday);
    expect(await reports.write([mirrored('a/b:2')], tuesday)).toEqual(first);
    await reports.write([mirrored('a/b:3')], { runId: 'wednesday', finishedAt: '2026-03-04T02:00:00.000Z' });
    expect(await reports.write([mirrored('a/b:2')], tuesday)).toEqual(first);
    expect(first.html).toContain('the run of 2026-03-02 02:00 UTC');
  });

  it('passes over runs that were refused, or of another registry', async () => {
    const reports = await Reports.create();
    const refused: Partial<RunSummaryForReport> = { config: null, database: null };
    await reports.write([mirrored('a/b:1')], monday);
    await reports.write([], { ...refused, runId: 'refused', finishedAt: '2026-03-02T03:00:00.000Z' });
    await reports.write([mirrored('x/y:1')], {
      runId: 'other',
      finishedAt: '2026-03-02T04:00:00.000Z',
      config: { ...config, registry: 'other.example.com' },
    });
    expect(await changesOf(reports, [mirrored('a/b:1')], tuesday)).toMatchObject({
      since: { run: 'monday' },
      appeared: [],
      gone: [],
      changed: [],
    });
  });

  it('passes over runs that looked at other images, whose fields are not gone', async () => {
    const reports = await Reports.create();
    await reports.write([mirrored('a/b:1'), mirrored('c/d:1')], monday);
    const some = { ...config, include: ['a/b'] };
    await reports.write([mirrored('a/b:1')], {
      runId: 'some',
      finishedAt: '2026-03-02T03:00:00.000Z',
      config: some,
    });
    expect(await changesOf(reports, [mirrored('a/b:1'), mirrored('c/d:1')], tuesday)).toMatchObject({
      ...{ since: { run: 'monday' }, appeared: [], gone: [], fields: [] },
    });
    const wednesday = { runId: 'wednesday', finishedAt: '2026-03-04T02:00:00.000Z', config: some };
    expect(await changesOf(reports, [mirrored('a/b:2')], wednesday)).toMatchObject({
      ...{ since: { run: 'some' }, appeared: ['a/b:2'], gone: ['a/b:1'] },
    });
  });

  it('says that there is nothing to compare the first run with', async () => {
    const reports = await Reports.create();
    const { html, json } = await reports.write([mirrored('a/b:1')], monday);
    expect(JSON.parse(json).changes).toBeNull();
    expect(html).toContain('There is no earlier run');
  });

  it('is summed up for terminals: bad ends first, a field once, and how many more there are', async () => {
    const reports = await Reports.create();
    const many = Array.from({ length: 14 }, (_, n) => `a/${String(n).padStart(2, '0')}`);
    await reports.write([mirrored('z/end:1'), ...many.map((name) => mirrored(`${name}:1`))], monday);
    const ended = { ...mirrored('z/end:1'), outcome: { kind: 'skipped', reason: 'elsewhere' } as const };
    const { ref } = await reports.write([...many.map((name) => mirrored(`${name}:2`)), ended], tuesday);
    expect(ref.changes).toMatchObject({ since: monday.finishedAt, more: expect.any(Number) });
    expect(ref.changes?.lines).toHaveLength(10);
    expect(ref.changes?.lines[0]).toMatch(/^z\/end:1: outcome as it should be → skipped/);
    for (const line of ref.changes?.lines ?? []) expect(line.length).toBeLessThan(200);
  });

  it('names a copy that was put back, though its digest is that of before', async () => {
    const reports = await Reports.create();
    await reports.write([mirrored('a/b:1')], monday);
    const mended = { ...mirrored('a/b:1'), item: item('a/b:1', { state: 'create', drift: 'missing' }) };
    const { ref } = await reports.write([mended], tuesday);
    expect(ref.changes?.lines).toEqual([expect.stringContaining('a/b:1: copy was gone, and was put back')]);
  });
});
