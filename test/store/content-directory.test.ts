import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { addAbortSignal, PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it, vi } from 'vitest';
import type { Digest } from '../../src/contract/brand.js';
import { digestOf } from '../../src/registry/digest.js';
import type { ByteStream, Descriptor } from '../../src/registry/types.js';
import { DirectoryContentStore } from '../../src/store/content-directory.js';
import { temporaryDirectory } from '../support/directory.js';

const signal = new AbortController().signal;
const descriptorOf = (bytes: Buffer): Descriptor => ({
  mediaType: 'application/octet-stream',
  digest: digestOf(bytes),
  size: bytes.length,
});
const from = (bytes: Buffer) => async (): Promise<Readable> => Readable.from([bytes], { objectMode: false });
const BYTES = Buffer.from('some bytes');
const BLOB = descriptorOf(BYTES);

/** Every file that is not the layout's own. */
async function filesIn(directory: string): Promise<string[]> {
  const all = await readdir(directory, { recursive: true, withFileTypes: true });
  const names = all.filter((entry) => entry.isFile()).map((entry) => entry.name);
  return names.filter((name) => name !== 'oci-layout' && name !== 'index.json').toSorted();
}

async function fresh(options: { maxBytes?: number } = {}): Promise<DirectoryContentStore> {
  return DirectoryContentStore.open(join(await temporaryDirectory(), 'content'), options);
}

describe('the content store', () => {
  it('is an OCI image layout that only its user can read', async () => {
    const store = await fresh();
    await store.write(BYTES);
    expect(JSON.parse(await readFile(join(store.directory, 'oci-layout'), 'utf8'))).toEqual({
      imageLayoutVersion: '1.0.0',
    });
    expect(JSON.parse(await readFile(join(store.directory, 'index.json'), 'utf8')).manifests).toEqual([]);
    expect((await stat(store.pathOf(BLOB.digest))).mode & 0o777).toBe(0o600);
    expect((await stat(store.directory)).mode & 0o777).toBe(0o700);
    expect(store.pathOf(BLOB.digest)).toBe(
      join(store.directory, 'blobs', 'sha256', BLOB.digest.slice('sha256:'.length)),
    );
  });

  it('gives back what it was given, and nothing else', async () => {
    const store = await fresh();
    expect(await store.write(BYTES)).toBe(BLOB.digest);
    expect(await store.has(BLOB.digest)).toBe(true);
    expect(await store.read(BLOB.digest, 100)).toEqual(BYTES);
    expect(await buffer(store.open(BLOB.digest))).toEqual(BYTES);
    expect(await store.has(digestOf('other'))).toBe(false);
    expect(await store.read(digestOf('other'), 100)).toBeUndefined();
    await expect(store.read(BLOB.digest, 3)).rejects.toMatchObject({ type: 'ImageUnsupported' });
  });

  it('never makes a path of what is no digest', async () => {
    const store = await fresh();
    const evil = 'sha256:../../../etc/passwd' as Digest; // what a careless cast would let through
    expect(() => store.pathOf(evil)).toThrow('not a sha256 digest');
    await expect(store.has(evil)).rejects.toThrow('not a sha256 digest');
    await expect(store.ensure({ ...BLOB, digest: evil }, from(BYTES), { signal })).rejects.toThrow(
      'not a sha256',
    );
  });

  it('marks what is read as used, once a minute', async () => {
    const store = await fresh();
    const digest = await store.write(BYTES);
    const usedAt = async (secondsAgo: number): Promise<number> => {
      const then = new Date(Date.now() - secondsAgo * 1000);
      await utimes(store.pathOf(digest), then, then);
      await store.read(digest, 100);
      return Date.now() - (await stat(store.pathOf(digest))).mtimeMs;
    };
    expect(await usedAt(30)).toBeGreaterThan(25_000);
    expect(await usedAt(90)).toBeLessThan(25_000);
  });

  it('fetches again what was damaged on disk', async () => {
    const store = await fresh();
    await store.write(BYTES);
    await writeFile(store.pathOf(BLOB.digest), 'SOME BYTES');
    expect(await store.read(BLOB.digest, 100)).toBeUndefined();
    await writeFile(store.pathOf(BLOB.digest), 'cut');
    await store.ensure(BLOB, from(BYTES), { signal });
    expect(await store.read(BLOB.digest, 100)).toEqual(BYTES);
  });
});

describe('a download', () => {
  it('happens once for all who want it at the same time, and not at all afterwards', async () => {
    const store = await fresh();
    let downloads = 0;
    const seen: number[][] = [[], [], []];
    const download = async (): Promise<Readable> => {
      downloads += 1;
      return from(BYTES)();
    };
    await Promise.all(
      seen.map((bytes) => store.ensure(BLOB, download, { signal, onBytes: (count) => bytes.push(count) })),
    );
    await store.ensure(BLOB, download, { signal });
    expect(downloads).toBe(1);
    expect(seen.map((bytes) => bytes.at(-1))).toEqual([BYTES.length, BYTES.length, BYTES.length]);
  });

  it.each([
    ['has other bytes', 'SOME BYTES', 'has other bytes than its digest says'],
    ['does not end', 'some bytes and more', 'more than the 10 bytes'],
  ])('that %s leaves nothing', async (_, sent, message) => {
    const store = await fresh();
    const result = store.ensure(BLOB, from(Buffer.from(sent)), { signal });
    await expect(result).rejects.toMatchObject({
      type: 'TransferCorrupt',
      message: expect.stringContaining(message),
    });
    expect(await filesIn(store.directory)).toEqual([]);
    await store.ensure(BLOB, from(BYTES), { signal });
  });

  it('goes on when one of its callers gives up, and ends at once when the last does', async () => {
    const store = await fresh();
    const source = new PassThrough();
    const [first, second] = [new AbortController(), new AbortController()];
    let stopped: AbortSignal | undefined;
    const download = async (inner: AbortSignal): Promise<Readable> => {
      stopped = inner;
      return addAbortSignal(inner, source);
    };
    const started = new Promise<void>((resolve) => {
      void store
        .ensure(BLOB, download, { signal: first.signal, onBytes: () => resolve() })
        .catch(() => undefined);
    });
    const other = store.ensure(BLOB, download, { signal: second.signal });
    const joined = store.ensure(BLOB, download, { signal: first.signal });
    source.write('some');
    await started;
    first.abort(new Error('first gave up'));
    await expect(joined).rejects.toThrow('first gave up');
    expect(stopped?.aborted).toBe(false);
    second.abort(new Error('second gave up'));
    await expect(other).rejects.toThrow('second gave up');
    expect(stopped?.aborted).toBe(true);
    expect(source.destroyed).toBe(true);
  });

  it('that is given up lets go of its bytes when they are written, not before', async () => {
    const store = await fresh();
    const bytes = randomBytes(3 * 2 ** 20);
    const blob = { ...BLOB, digest: digestOf(bytes), size: bytes.length };
    const stop = new AbortController();
    const pieces = [0, 1, 2].map((at) => Buffer.from(bytes.subarray(at * 2 ** 20, (at + 1) * 2 ** 20)));
    const lent: ByteStream = {
      async *[Symbol.asyncIterator]() {
        yield* pieces.slice(0, 2);
        stop.abort(new Error('stop'));
        yield* pieces.slice(2);
      },
      // Somebody else gets them, and fills them at once.
      destroy: () => {
        for (const piece of pieces) piece.fill(0);
      },
    };
    await expect(store.ensure(blob, async () => lent, { signal: stop.signal })).rejects.toThrow('stop');
    const froms: number[] = [];
    const rest = async (_: AbortSignal, at: number): Promise<Readable> => {
      froms.push(at);
      return Readable.from([bytes.subarray(at)]);
    };
    await vi.waitFor(() => store.ensure(blob, rest, { signal }));
    expect(froms).toHaveLength(1);
    expect(froms[0]).toBeGreaterThan(0);
    expect(await store.check(blob.digest)).toBe(true);
  });

  it('that is wanted again while it is being stopped starts anew', async () => {
    const store = await fresh();
    const stuck = new PassThrough();
    const stop = new AbortController();
    const download = async (inner: AbortSignal): Promise<Readable> => addAbortSignal(inner, stuck);
    const first = expect(store.ensure(BLOB, download, { signal: stop.signal })).rejects.toThrow('stop');
    stop.abort(new Error('stop'));
    await store.ensure(BLOB, from(BYTES), { signal });
    await first;
    expect(await store.has(BLOB.digest)).toBe(true);
  });

  it('is not started for a caller who gave up before', async () => {
    const store = await fresh();
    const gone = AbortSignal.abort(new Error('gone'));
    await expect(store.ensure(BLOB, from(BYTES), { signal: gone })).rejects.toThrow('gone');
    expect(await store.has(BLOB.digest)).toBe(false);
  });
});

describe('a store that is full', () => {
  const blobs = ['a', 'b', 'c', 'd'].map((letter) => Buffer.from(letter.repeat(1000)));
  const [a, b, c, d] = blobs.map(digestOf) as [Digest, Digest, Digest, Digest]; // four in, four out

  /** a, b and c are there, a used longest ago. */
  async function filled(maxBytes: number): Promise<DirectoryContentStore> {
    const store = await fresh({ maxBytes });
    for (const [index, bytes] of blobs.slice(0, 3).entries()) {
      const digest = await store.write(bytes);
      const then = new Date(Date.now() - (10 - index) * 60_000);
      await utimes(store.pathOf(digest), then, then);
    }
    return store;
  }
  const held = async (store: DirectoryContentStore): Promise<boolean[]> =>
    Promise.all([a, b, c, d].map((digest) => store.has(digest)));

  it('gives up what was not used for longest', async () => {
    const store = await filled(3000);
    await store.read(a, 1000); // used now
    await store.write(blobs[3] ?? Buffer.alloc(0));
    expect(await held(store)).toEqual([true, false, true, true]);
  });

  it('keeps what is leased, also by another store on the same directory, until it is released', async () => {
    const store = await filled(3000);
    const other = await DirectoryContentStore.open(store.directory);
    const release = [store.lease([a]), other.lease([b, d])];
    await store.write(blobs[3] ?? Buffer.alloc(0));
    expect(await held(store)).toEqual([true, true, false, true]);
    for (const one of release) one();
    await store.write(blobs[2] ?? Buffer.alloc(0));
    expect(await held(store)).toEqual([false, true, true, true]);
  });

  it('counts what is being written, so that many at once stay within the limit', async () => {
    const store = await fresh({ maxBytes: 3000 });
    const gate = new PassThrough();
    const slow = store.ensure(descriptorOf(blobs[0] ?? BYTES), async () => gate, { signal });
    for (const bytes of blobs.slice(1)) await store.write(bytes);
    gate.end(blobs[0]);
    await slow;
    expect((await held(store)).filter(Boolean)).toHaveLength(3);
  });

  it('counts what grows beside its blobs, and what is stored before its size is known', async () => {
    const store = await filled(3000);
    const scratch = store.scratch();
    await scratch.grow(500);
    expect(await held(store)).toEqual([false, true, true, false]);
    const halves = [blobs[3]?.subarray(0, 500), blobs[3]?.subarray(500)];
    expect(await store.store(Readable.from(halves), signal)).toEqual({ digest: d, size: 1000 });
    expect(await held(store)).toEqual([false, false, true, true]);
    await scratch.remove();
    await store.write(blobs[0] ?? Buffer.alloc(0));
    expect(await held(store)).toEqual([true, false, true, true]);
    await expect(store.store(Readable.from([Buffer.alloc(5000)]), signal)).rejects.toMatchObject({
      type: 'DiskFull',
      message: expect.stringContaining('CONTENT_MAX_GB'),
    });
    await expect(store.scratch().grow(5000)).rejects.toMatchObject({ type: 'DiskFull' });
    expect(await held(store)).toEqual([true, false, true, true]);
  });

  it('refuses what is larger than all it may hold, and gives up nothing for it', async () => {
    const store = await filled(3000);
    await expect(store.write(Buffer.alloc(5000))).rejects.toMatchObject({
      type: 'DiskFull',
      message: expect.stringContaining('CONTENT_MAX_GB'),
    });
    expect(await held(store)).toEqual([true, true, true, false]);
  });

  it('does not forget what was there before it was opened', async () => {
    const store = await DirectoryContentStore.open((await filled(3000)).directory, { maxBytes: 3000 });
    await store.write(blobs[3] ?? Buffer.alloc(0));
    expect(await held(store)).toEqual([false, true, true, true]);
  });
});

describe('processes that share a directory', () => {
  it('remove what dead ones left, and leave alone what live ones write', async () => {
    const directory = await temporaryDirectory();
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'close');
    const host = hostname().replace(/[^A-Za-z0-9-]/g, '-');
    const names = {
      dead: `${host}.${child.pid}.x`,
      alive: `${host}.${process.ppid}.x`,
      elsewhere: `other-${host}.1.x`,
      forgotten: `other-${host}.2.x`,
    };
    for (const folder of ['ingest', 'leases']) {
      await mkdir(join(directory, folder));
      for (const name of Object.values(names)) await writeFile(join(directory, folder, name), 'part');
      await utimes(join(directory, folder, names.forgotten), 0, 0);
    }
    const store = await DirectoryContentStore.open(directory, { maxBytes: BYTES.length });
    for (const text of ['0123456789', 'some bytes']) await store.write(Buffer.from(text)); // the second evicts
    for (const folder of ['ingest', 'leases'])
      expect(await readdir(join(directory, folder))).toEqual([names.alive, names.elsewhere].toSorted());
  });

  it('end with one whole blob when both write it', async () => {
    const directory = await temporaryDirectory();
    const bytes = Buffer.alloc(3_000_000, 'x');
    const blob = descriptorOf(bytes);
    const module = new URL('../../src/store/content-directory.ts', import.meta.url).href;
    const script = `
      import { Readable } from 'node:stream';
      const { DirectoryContentStore } = await import(${JSON.stringify(module)});
      const store = await DirectoryContentStore.open(process.argv[1]);
      const blob = ${JSON.stringify(blob)};
      const download = async () => Readable.from(Array.from({ length: 30 }, () => Buffer.alloc(100000, 'x')));
      for (let round = 0; round < 20; round++) {
        await store.ensure(blob, download, { signal: new AbortController().signal });
        await store.write(Buffer.from('small ' + round));
      }`;
    const run = async (): Promise<void> => {
      const args = ['--import', 'tsx', '--input-type=module', '-e', script, directory];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
      const [code] = await once(child, 'close');
      expect(code).toBe(0);
    };
    await Promise.all([run(), run()]);
    const store = await DirectoryContentStore.open(directory);
    expect((await store.read(blob.digest, bytes.length))?.equals(bytes)).toBe(true);
    expect(await filesIn(directory)).toHaveLength(21);
  });
});
