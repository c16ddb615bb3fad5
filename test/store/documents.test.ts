import { randomBytes } from 'node:crypto';
import { rename, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { digestOf } from '../../src/registry/digest.js';
import { Documents } from '../../src/store/documents.js';
import { temporaryDirectory } from '../support/directory.js';

async function fileOf(bytes: Uint8Array) {
  const path = join(await temporaryDirectory(), 'document');
  await writeFile(path, bytes);
  return { path, file: await stat(path) };
}

it('a document is known as long as its file is as it was', async () => {
  const bytes = randomBytes(500);
  const { path, file } = await fileOf(bytes);
  const documents = new Documents();
  expect(documents.get(digestOf(bytes), file)).toBeUndefined();
  documents.keep(digestOf(bytes), file, bytes);
  expect(documents.get(digestOf(bytes), await stat(path))).toBe(bytes);
  const later = new Date(Date.now() + 5000);
  await utimes(path, later, later);
  expect(documents.get(digestOf(bytes), await stat(path))).toBeUndefined();
  documents.keep(digestOf(bytes), { ...file, mtimeMs: later.getTime() }, bytes);
  expect(documents.get(digestOf(bytes), await stat(path))).toBe(bytes);

  await writeFile(`${path}.new`, bytes);
  await utimes(`${path}.new`, later, later);
  await rename(`${path}.new`, path);
  expect(documents.get(digestOf(bytes), await stat(path))).toBeUndefined();
});

it('what is large is not kept, and what was not asked for longest makes way', async () => {
  const { file } = await fileOf(randomBytes(10));
  const documents = new Documents();
  const large = randomBytes(200_000);
  documents.keep(digestOf(large), { ...file, size: large.length }, large);
  expect(documents.get(digestOf(large), { ...file, size: large.length })).toBeUndefined();

  const many = Array.from({ length: 200 }, () => randomBytes(100_000));
  const ofThem = { ...file, size: 100_000 };
  for (const bytes of many) {
    documents.keep(digestOf(bytes), ofThem, bytes);
    documents.keep(digestOf(many[0] ?? bytes), ofThem, many[0] ?? bytes);
  }
  const known = many.filter((bytes) => documents.get(digestOf(bytes), ofThem) !== undefined);
  expect(known).toContain(many[0]);
  expect(known).toContain(many.at(-1));
  expect(known).not.toContain(many[1]);
  expect(known.length * 100_000).toBeLessThanOrEqual(16 << 20);
});
