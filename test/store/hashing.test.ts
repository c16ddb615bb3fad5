import { randomBytes } from 'node:crypto';
import { appendFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { runProgram } from '../../src/common/process.js';
import { digestOf } from '../../src/registry/digest.js';
import { hashFile } from '../../src/store/hashing.js';
import { temporaryDirectory } from '../support/directory.js';

const BYTES = randomBytes(3 * 1024 * 1024 + 5);
const fileOf = async (bytes: Uint8Array): Promise<string> => {
  const path = join(await temporaryDirectory(), 'file');
  await writeFile(path, bytes);
  return path;
};

describe('the hash of a file', () => {
  it('is that of all bytes that were written, in whatever steps', async () => {
    const path = await fileOf(BYTES.subarray(0, 7));
    const hash = hashFile(path);
    hash.wrote(7);
    await appendFile(path, BYTES.subarray(7));
    hash.wrote(1024);
    hash.wrote(BYTES.length);
    expect(await hash.digest()).toBe(digestOf(BYTES));
  });

  it('is known of many files at the same time', async () => {
    const all = Array.from({ length: 20 }, (_, at) => BYTES.subarray(at, at + 2_000_000));
    const hashes = await Promise.all(
      all.map(async (bytes) => ({ bytes, hash: hashFile(await fileOf(bytes)) })),
    );
    for (let until = 0; until <= 2_000_000; until += 500_000)
      for (const { hash } of hashes) hash.wrote(until);
    for (const { bytes, hash } of hashes) expect(await hash.digest()).toBe(digestOf(bytes));
  });

  it('is of nothing where nothing was written', async () => {
    expect(await hashFile(await fileOf(BYTES)).digest()).toBe(digestOf(''));
  });

  it('fails where the file is not there or shorter than was said, and others go on', async () => {
    const gone = await fileOf(BYTES);
    await rm(gone);
    await expect(hashFile(gone).digest()).rejects.toMatchObject({ code: 'ENOENT' });
    const short = hashFile(await fileOf(BYTES));
    short.wrote(BYTES.length + 1);
    await expect(short.digest()).rejects.toThrow('became shorter');
    const dropped = hashFile(await fileOf(BYTES));
    dropped.drop();
    const good = hashFile(await fileOf(BYTES));
    good.wrote(BYTES.length);
    expect(await good.digest()).toBe(digestOf(BYTES));
  });

  it('goes on in a new thread after one that failed, also while that one is not yet gone', async () => {
    const ref = vi.spyOn(Worker.prototype, 'ref');
    onTestFinished(() => ref.mockRestore());
    const lost = hashFile(await fileOf(BYTES));
    const thread: unknown = ref.mock.contexts.at(-1);
    if (!(thread instanceof Worker)) throw new Error('no thread');
    thread.emit('error', new Error('out of memory'));
    await expect(lost.digest()).rejects.toThrow('out of memory');
    const next = hashFile(await fileOf(BYTES));
    expect(ref.mock.contexts.at(-1)).not.toBe(thread);
    await thread.terminate();
    next.wrote(BYTES.length);
    expect(await next.digest()).toBe(digestOf(BYTES));
  });

  it('keeps a process alive until it is known, and no longer', async () => {
    const path = await fileOf(BYTES);
    const module = new URL('../../src/store/hashing.ts', import.meta.url).href;
    const script = `const { hashFile } = await import('${module}');
      const hash = hashFile(process.argv[1]); hash.wrote(${BYTES.length}); console.log(await hash.digest());`;
    const args = ['--import', 'tsx', '--input-type=module', '-e', script, path];
    const env = { PATH: process.env.PATH ?? '' };
    const { code, stdout, stderr } = await runProgram(process.execPath, args, { env, timeoutMs: 30_000 });
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${digestOf(BYTES)}\n`, stderr: '' });
  });
});
