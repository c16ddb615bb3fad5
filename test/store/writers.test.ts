import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isAbandoned, sweepAbandoned, writerName } from '../../src/store/writers.js';
import { temporaryDirectory } from '../support/directory.js';

const DAY_MS = 24 * 60 * 60 * 1000;

it('a file of this process is its own, whatever the clock says', () => {
  expect(isAbandoned(writerName(), Date.now() - 2 * DAY_MS)).toBe(false);
  expect(isAbandoned(writerName(), Date.now() + 2 * DAY_MS)).toBe(false);
});

it('a file of a process before it, in the same container under the same number, is nobody’s', async () => {
  const directory = await temporaryDirectory();
  const [host, pid] = writerName().split('.');
  const before = `${host}.${pid}.another-life-0`;
  const own = writerName();
  for (const name of [before, own]) await writeFile(join(directory, name), '');
  expect(await sweepAbandoned(directory)).toEqual([own]);
});
