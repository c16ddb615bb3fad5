import { randomBytes } from 'node:crypto';
import { readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { digestOf, hexOf } from '../../src/registry/digest.js';
import { DirectoryContentStore } from '../../src/store/content-directory.js';
import { temporaryDirectory } from '../support/directory.js';

const MIB = 1024 * 1024;
const signal = new AbortController().signal;
const BYTES = randomBytes(4 * MIB + 7);
const BLOB = { mediaType: 'application/octet-stream', digest: digestOf(BYTES), size: BYTES.length };

const fresh = async (): Promise<DirectoryContentStore> =>
  DirectoryContentStore.open(join(await temporaryDirectory(), 'content'));

/** Reads until so many bytes have come, from where it was read to before. A reader's buffers are used again. */
async function first(reader: AsyncIterator<Buffer>, count = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let size = 0; size < count; ) {
    const next = await reader.next();
    if (next.done) break;
    parts.push(Buffer.from(next.value));
    size += next.value.length;
  }
  return Buffer.concat(parts);
}
const readerOf = (bytes: AsyncIterable<Buffer>): AsyncIterator<Buffer> => bytes[Symbol.asyncIterator]();

describe('a blob that is on its way', () => {
  it('can be read while it comes, whole and in parts', async () => {
    const store = await fresh();
    const wire = new PassThrough({ highWaterMark: 8 * MIB });
    const { done, open } = store.arrive(BLOB, async () => wire, { signal });
    const [whole, middle] = [open(), open({ from: MIB + 1, length: 2 * MIB })].map(readerOf);
    if (whole === undefined || middle === undefined) throw new Error('there are two');
    wire.write(BYTES.subarray(0, 2 * MIB));
    expect((await first(whole, MIB)).equals(BYTES.subarray(0, MIB))).toBe(true);
    wire.end(BYTES.subarray(2 * MIB));
    expect((await first(middle)).equals(BYTES.subarray(MIB + 1, 3 * MIB + 1))).toBe(true);
    expect((await first(whole)).equals(BYTES.subarray(MIB))).toBe(true);
    await done;
    expect((await first(readerOf(open()))).equals(BYTES)).toBe(true);
  });

  it('is expected from its beginning to its end, and then as long as it is there in its size', async () => {
    const store = await fresh();
    const wire = new PassThrough();
    expect(store.expects(BLOB)).toBe(false);
    const { done } = store.arrive(BLOB, async () => wire, { signal });
    expect(store.expects(BLOB)).toBe(true);
    wire.end(BYTES);
    await done;
    expect(store.expects(BLOB)).toBe(true);
    await writeFile(store.pathOf(BLOB.digest), 'cut short');
    expect(store.expects(BLOB)).toBe(false);
  });

  it('is never given to its end when it is another one', async () => {
    const store = await fresh();
    const wrong = Buffer.from(BYTES);
    wrong[3 * MIB] = (wrong[3 * MIB] ?? 0) ^ 1;
    const { done, open } = store.arrive(BLOB, async () => Readable.from([wrong]), { signal });
    let read = 0;
    const reading = (async () => {
      for await (const chunk of open()) read += chunk.length;
    })();
    await expect(done).rejects.toMatchObject({ type: 'TransferCorrupt' });
    await expect(reading).rejects.toMatchObject({ type: 'TransferCorrupt' });
    expect(read).toBeLessThanOrEqual(BYTES.length - MIB);
    expect(await store.has(BLOB.digest)).toBe(false);
  });

  it('fails its readers as its download fails, and lets them read from before when it goes on', async () => {
    const store = await fresh();
    const breaking = async (): Promise<Readable> =>
      Readable.from(
        (function* () {
          yield BYTES.subarray(0, 2 * MIB);
          throw Object.assign(new Error('broken'), { code: 'ECONNRESET' });
        })(),
      );
    const broken = store.arrive(BLOB, breaking, { signal });
    await expect(first(readerOf(broken.open()))).rejects.toThrow('ECONNRESET');
    const wire = new PassThrough({ highWaterMark: 8 * MIB });
    const again = store.arrive(
      BLOB,
      async (_, from) => {
        wire.write(BYTES.subarray(from, from + 1));
        return wire;
      },
      { signal },
    );
    const reader = readerOf(again.open());
    expect((await first(reader, 2 * MIB)).equals(BYTES.subarray(0, 2 * MIB))).toBe(true);
    wire.end(BYTES.subarray(2 * MIB + 1));
    expect((await first(reader)).equals(BYTES.subarray(2 * MIB))).toBe(true);
  });

  it('is joined by a second reader where it is', async () => {
    const store = await fresh();
    const wire = new PassThrough({ highWaterMark: 8 * MIB });
    const one = store.arrive(BLOB, async () => wire, { signal });
    wire.write(BYTES.subarray(0, 2 * MIB));
    const early = readerOf(one.open());
    await first(early, MIB);
    const other = store.arrive(BLOB, () => Promise.reject(new Error('asked twice')), { signal });
    const late = readerOf(other.open());
    expect((await first(late, MIB)).equals(BYTES.subarray(0, MIB))).toBe(true);
    wire.end(BYTES.subarray(2 * MIB));
    for (const reader of [early, late]) expect((await first(reader)).equals(BYTES.subarray(MIB))).toBe(true);
    await Promise.all([one.done, other.done]);
  });
});

describe('what was stored before the machine started', () => {
  const longAgo = new Date('2001-01-01');
  const never = (): Promise<Readable> => Promise.reject(new Error('fetched'));

  async function stored(bytes: Buffer): Promise<DirectoryContentStore> {
    const store = await fresh();
    await writeFile(store.pathOf(BLOB.digest), bytes);
    await utimes(store.pathOf(BLOB.digest), longAgo, longAgo);
    return store;
  }

  it('is read through once before it is used', async () => {
    const store = await stored(BYTES);
    await store.ensure(BLOB, never, { signal });
    // From then on it is trusted: what happens to it now is another's matter.
    await writeFile(store.pathOf(BLOB.digest), Buffer.alloc(BLOB.size));
    await store.ensure(BLOB, never, { signal });
  });

  it('is fetched again when power was lost before it reached the disk', async () => {
    const store = await stored(Buffer.alloc(BLOB.size));
    await store.ensure(BLOB, async () => Readable.from([BYTES]), { signal });
    expect((await readFile(store.pathOf(BLOB.digest))).equals(BYTES)).toBe(true);
  });
});

it('a check drops what is damaged, and keeps what is whole', async () => {
  const store = await fresh();
  await store.ensure(BLOB, async () => Readable.from([BYTES]), { signal });
  expect(await store.check(BLOB.digest)).toBe(true);
  await writeFile(store.pathOf(BLOB.digest), Buffer.alloc(BLOB.size));
  expect([await store.check(BLOB.digest), await store.has(BLOB.digest)]).toEqual([false, false]);
  expect(await store.check(digestOf(`nothing ${hexOf(BLOB.digest)}`))).toBe(false);
});
