import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { placeOnce } from '../../src/store/writers.js';
import { temporaryDirectory } from '../support/directory.js';

// A file system without hard links can't be had in every test run: only its refusal is imitated.
vi.mock('node:fs/promises', async (original) => ({
  ...(await original<typeof import('node:fs/promises')>()),
  link: () => Promise.reject(Object.assign(new Error('not permitted'), { code: 'EPERM' })),
}));

it('places a file once where the file system has no hard links', async () => {
  const directory = await temporaryDirectory();
  const [first, second, path] = ['first', 'second', 'placed'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ]; // three names
  await writeFile(first, 'one');
  await writeFile(second, 'two');
  expect(await placeOnce(first, path)).toBe(true);
  expect(await placeOnce(second, path)).toBe(false);
  expect(await readFile(path, 'utf8')).toBe('one');
});
