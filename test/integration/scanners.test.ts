import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { WORKFLOW } from '../../src/contract/names.js';
import type { RunResult } from '../../src/contract/outcome.js';
import type { PlanResult } from '../../src/contract/plan.js';
import { reportSchema } from '../../src/report/schema.js';
import { sarif } from '../scanners/sarif-samples.js';
import { temporaryDirectory } from '../support/directory.js';
import { few, openFactory } from './factory.js';

const FOUND = sarif([
  { ruleId: 'CVE-2026-1000', properties: { package: 'made-up', installed: '1', severity: 'low' } },
]);
const SCANNER = `
  - name: mine
    command: sh
    args: [mine.sh, "\${layout}", "\${output}"]
    files:
      - from: mine.sh
      - from: found.sarif`;

it('a scanner that a template gets has images scanned again that are in place, once, and the report says what it found', async () => {
  const templates = await temporaryDirectory();
  for (const folder of ['gather-scan', 'files']) await mkdir(join(templates, folder));
  const write = (scanners: string) =>
    writeFile(join(templates, 'gather-scan', 'mine.yaml'), `scanners:\n  - trivy${scanners}\n`);
  await writeFile(join(templates, 'files', 'mine.sh'), '[ -s "$1/index.json" ] && cp found.sarif "$2"\n');
  await writeFile(join(templates, 'files', 'found.sarif'), FOUND);
  const factory = await openFactory({ images: few, env: { TEMPLATE_DIR: templates } });
  const input = { ...factory.input, modifyDefault: false, gatherScanTemplate: 'mine' };
  const run = async () => {
    // What `imageFactory` returns when every image is as it should be.
    const result = (await (await factory.start(WORKFLOW.imageFactory, input)).result()) as RunResult;
    const report = reportSchema.parse(JSON.parse(await readFile(result.report?.json ?? '', 'utf8')));
    return { counts: result.counts, report };
  };
  const findersOf = ({ images }: Awaited<ReturnType<typeof run>>['report']) =>
    images.map(({ findings }) => findings.list.find(({ id }) => id === 'CVE-2026-1000')?.foundBy);

  await write('');
  expect((await run()).counts).toMatchObject({ mirrored: 2 });
  await write(SCANNER);
  const second = await run();
  expect(second.counts).toMatchObject({ rescanned: 2, mirrored: 0 });
  expect(findersOf(second.report)).toEqual([['mine'], ['mine']]);
  const third = await run();
  expect(third.counts).toMatchObject({ unchanged: 2 });
  expect(findersOf(third.report)).toEqual([['mine'], ['mine']]);

  // Another file of the scanner's: what it would find now is not known.
  await writeFile(join(templates, 'files', 'mine.sh'), 'cp found.sarif "$2" # differently\n');
  const plan = await factory.start(WORKFLOW.planImages, { ...input, dryRun: true });
  const { counts } = (await plan.result()) as PlanResult; // what `planImages` returns
  expect(counts).toMatchObject({ 'needs-scan': 2, unchanged: 0 });
});
