import { readFile, writeFile } from 'node:fs/promises';
import type { Reporter, TestModule } from 'vitest/node';

const DOCUMENT = new URL('../../docs/reliability.md', import.meta.url);
const BEGIN = '<!-- matrix: written by npm run test:faults with FAULTS_WRITE=1 -->';
const END = '<!-- end of the matrix -->';

/** The order of the areas in the table. */
const AREAS = ['worker', 'temporal', 'source', 'registry', 'harness', 'scanner', 'disk', 'clock'];

interface Row {
  area: string;
  fault: string;
  ends: string;
  passed: boolean;
  seconds: number;
}

/** Writes the fault matrix and its results into docs/reliability.md, when `FAULTS_WRITE` is set. */
export default class MatrixReporter implements Reporter {
  async onTestRunEnd(modules: readonly TestModule[]): Promise<void> {
    if (!process.env.FAULTS_WRITE) return;
    const rows = modules
      .flatMap((module) => [...module.children.allTests()])
      .flatMap((test): Row[] => {
        const { fault } = test.meta();
        if (fault === undefined) return [];
        const ms = test.diagnostic()?.duration ?? 0;
        return [{ ...fault, passed: test.result().state === 'passed', seconds: Math.round(ms / 1000) }];
      })
      .sort((a, b) => AREAS.indexOf(a.area) - AREAS.indexOf(b.area) || (a.fault < b.fault ? -1 : 1));
    const text = await readFile(DOCUMENT, 'utf8');
    const [head, rest] = text.split(BEGIN);
    const tail = rest?.split(END)[1];
    if (head === undefined || tail === undefined) throw new Error(`no place for the matrix in ${DOCUMENT}`);
    await writeFile(DOCUMENT, `${head}${BEGIN}\n\n${table(rows)}\n${END}${tail}`);
  }
}

function table(rows: readonly Row[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  const passed = rows.filter((row) => row.passed).length;
  const lines = rows.map(({ area, fault, ends, passed, seconds }) =>
    ['', area, cell(fault), cell(ends), passed ? 'yes' : '**no**', `${seconds} s`, ''].join(' | ').trim(),
  );
  return [
    `${passed} of ${rows.length} cases ended as they should.`,
    '',
    '| where | what goes wrong | how it ended | as it should | took |',
    '| --- | --- | --- | --- | --- |',
    ...lines,
    '',
  ].join('\n');
}
