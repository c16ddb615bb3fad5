import { randomBytes } from 'node:crypto';
import { open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { digestOf } from '../../src/registry/digest.js';
import { BlobHash, digestOfFile } from '../../src/store/hashing.js';
import { temporaryDirectory } from '../support/directory.js';

const BYTES = randomBytes(3 * 1024 * 1024 + 5);
const fileOf = async (bytes: Uint8Array): Promise<string> => {
  const path = join(await temporaryDirectory(), 'file');
  await writeFile(path, bytes);
  return path;
};

describe('the hash of a blob', () => {
  it('is that of what a file had and of what came after it', async () => {
    const file = await open(await fileOf(BYTES.subarray(0, 2_000_000)));
    onTestFinished(() => file.close());
    const hash = new BlobHash();
    await hash.read(file, 2_000_000);
    hash.update(BYTES.subarray(2_000_000));
    expect(hash.digest()).toBe(digestOf(BYTES));
  });

  it('is of as much of a file as was asked for', async () => {
    const path = await fileOf(BYTES);
    expect(await digestOfFile(path, BYTES.length)).toBe(digestOf(BYTES));
    expect(await digestOfFile(path, 7)).toBe(digestOf(BYTES.subarray(0, 7)));
    expect(await digestOfFile(path, 0)).toBe(digestOf(''));
  });

  it('fails where the file is not there or shorter than was said', async () => {
    const path = await fileOf(BYTES);
    await expect(digestOfFile(path, BYTES.length + 1)).rejects.toThrow('became shorter');
    await rm(path);
    await expect(digestOfFile(path, 1)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('is not taken to its end for whoever gave up', async () => {
    const file = await open(await fileOf(BYTES));
    onTestFinished(() => file.close());
    const hash = new BlobHash();
    await expect(hash.read(file, BYTES.length, AbortSignal.abort(new Error('stopped')))).rejects.toThrow(
      'stopped',
    );
  });
});
