import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { reportSchema } from '../../src/report/schema.js';
import { recordOutcomes, writeReport } from '../../src/report/write.js';
import { FolderEvidenceStore } from '../../src/store/evidence-folder.js';
import { temporaryDirectory } from '../support/directory.js';
import { fleet, summary, unchanged, verdict } from '../support/report-fixture.js';

const { runId } = summary();

async function storeWithPages() {
  const evidence = new FolderEvidenceStore(await temporaryDirectory());
  const records = [...fleet(5), unchanged('z/lost:1', 'verdicts/lost.json')];
  await evidence.put('verdicts/old.json', JSON.stringify(verdict({ scannedAt: '2026-02-20T02:00:00.000Z' })));
  const pages = [
    (await recordOutcomes(evidence, runId, 0, records.slice(0, 4))).key,
    (await recordOutcomes(evidence, runId, 1, records.slice(4))).key,
  ];
  return { evidence, pages, records };
}

describe('writing the report', () => {
  it('gathers the pages of outcomes and the verdicts of earlier runs', async () => {
    const { evidence, pages, records } = await storeWithPages();
    expect(pages).toEqual([`runs/${runId}/outcomes/0000.json`, `runs/${runId}/outcomes/0001.json`]);
    const ref = await writeReport(evidence, summary({ pages }));
    expect(ref).toEqual({
      json: join(evidence.directory, `runs/${runId}/report.json`),
      html: join(evidence.directory, `runs/${runId}/report.html`),
      jsonKey: `runs/${runId}/report.json`,
      changes: null,
    });
    const report = reportSchema.parse(JSON.parse(await readFile(ref.json, 'utf8')));
    expect(report.images).toHaveLength(records.length);
    const quiet = report.images.find(({ image }) => image === 'plugins/quiet-0:1.0');
    expect(quiet?.platforms).toHaveLength(2);
    // The verdict itself is lost, but the plan knew what it said.
    const lost = report.images.find(({ image }) => image === 'z/lost:1');
    expect(lost).toMatchObject({ platforms: [], verdict: { decision: 'pass' } });
    expect(await readFile(ref.html, 'utf8')).toMatch(/^<!doctype html>/);
  });

  it('writes the same bytes when it is done again', async () => {
    const { evidence, pages } = await storeWithPages();
    const bytes = async (): Promise<string[]> => {
      const ref = await writeReport(evidence, summary({ pages }));
      const latest = (await evidence.get('latest.json'))?.toString() ?? '';
      return [await readFile(ref.json, 'utf8'), await readFile(ref.html, 'utf8'), latest];
    };
    expect(await bytes()).toEqual(await bytes());
  });

  it('points to the newest run, also when an older one is written late', async () => {
    const { evidence, pages } = await storeWithPages();
    const at = (id: string, finishedAt: string) =>
      writeReport(evidence, summary({ runId: id, finishedAt, pages }));
    const latest = async (): Promise<unknown> => JSON.parse(String(await evidence.get('latest.json')));
    await at('first', '2026-03-01T02:00:00.000Z');
    await at('second', '2026-03-02T02:00:00.000Z');
    await at('first', '2026-03-01T02:00:00.000Z');
    expect(await latest()).toMatchObject({ runId: 'second', json: 'runs/second/report.json' });
  });

  it('says which page of outcomes is missing or damaged', async () => {
    const { evidence } = await storeWithPages();
    await evidence.put('damaged.json', '[{"item": 1}]');
    for (const key of ['absent.json', 'damaged.json'])
      await expect(writeReport(evidence, summary({ pages: [key] }))).rejects.toMatchObject({
        type: 'EvidenceUnavailable',
        message: expect.stringContaining(key),
      });
  });
});
