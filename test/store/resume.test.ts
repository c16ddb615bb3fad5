import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rename, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { addAbortSignal, PassThrough, Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { digestOf, hexOf } from '../../src/registry/digest.js';
import { DirectoryContentStore } from '../../src/store/content-directory.js';
import { FileUploadSessions } from '../../src/store/upload-sessions.js';
import { writerName } from '../../src/store/writers.js';
import { temporaryDirectory } from '../support/directory.js';

const signal = new AbortController().signal;
const BYTES = Buffer.from('some bytes');
const BLOB = { mediaType: 'application/octet-stream', digest: digestOf(BYTES), size: BYTES.length };
const PARTIAL = `${hexOf(BLOB.digest)}.partial`;

const fresh = async (options: { maxBytes?: number } = {}): Promise<DirectoryContentStore> =>
  DirectoryContentStore.open(join(await temporaryDirectory(), 'content'), options);

const partsIn = (store: DirectoryContentStore): Promise<string[]> => readdir(join(store.directory, 'ingest'));

/** A download that has the bytes from where it is asked to, and notes where that is. */
function source(bytes: Buffer = BYTES) {
  const asked: number[] = [];
  const download = async (_: AbortSignal, from: number): Promise<Readable> => {
    asked.push(from);
    return Readable.from([bytes.subarray(from)], { objectMode: false });
  };
  return { asked, download };
}

/** A download that brings the first bytes and breaks. */
const breaking = async (): Promise<Readable> =>
  Readable.from(
    (function* () {
      yield BYTES.subarray(0, 4);
      throw Object.assign(new Error('https://blobs.example/?sig=secret'), { code: 'ECONNRESET' });
    })(),
  );

/** The name of a process that is no more. */
async function deadWriter(): Promise<string> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'close');
  return writerName().replace(`.${process.pid}.`, `.${child.pid}.`);
}

describe('a download that broke off', () => {
  it('is gone on with where it was, and says how far it got', async () => {
    const store = await fresh();
    const error = await store.ensure(BLOB, breaking, { signal }).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ type: 'TransferCorrupt' });
    expect(String(error)).toContain('4 of 10 bytes (ECONNRESET)');
    expect(String(error)).not.toContain('secret');
    expect(await partsIn(store)).toEqual([PARTIAL]);
    const { asked, download } = source();
    const seen: number[] = [];
    await store.ensure(BLOB, download, { signal, onBytes: (count) => seen.push(count) });
    expect([asked, seen, await partsIn(store)]).toEqual([[4], [10], []]);
    expect(await store.read(BLOB.digest, 100)).toEqual(BYTES);
    expect((await stat(store.pathOf(BLOB.digest))).mode & 0o777).toBe(0o600);
  });

  it('is gone on with after a clean end that came too early, and after it was cancelled', async () => {
    const store = await fresh();
    const early = async (): Promise<Readable> => Readable.from([BYTES.subarray(0, 2)]);
    await expect(store.ensure(BLOB, early, { signal })).rejects.toThrow('ended after 2 of 10 bytes');
    const stop = new AbortController();
    const stuck = new PassThrough();
    stuck.write(BYTES.subarray(2, 5));
    const onBytes = (): void => stop.abort(new Error('stopped'));
    const heeding = async (inner: AbortSignal): Promise<Readable> => addAbortSignal(inner, stuck);
    const cancelled = store.ensure(BLOB, heeding, { signal: stop.signal, onBytes });
    await expect(cancelled).rejects.toThrow('stopped');
    const { asked, download } = source();
    await store.ensure(BLOB, download, { signal });
    expect(asked).toEqual([5]);
  });

  it('leaves nothing when nothing had come', async () => {
    const store = await fresh();
    const refused = async (): Promise<Readable> => {
      throw new Error('refused');
    };
    await expect(store.ensure(BLOB, refused, { signal })).rejects.toThrow('refused');
    expect(await partsIn(store)).toEqual([]);
  });

  it.each([
    ['other bytes', 'SOME', 4],
    ['more bytes than the blob has', 'much more than it has', 0],
  ])('and left %s starts over', async (_, text, from) => {
    const store = await fresh();
    await writeFile(join(store.directory, 'ingest', PARTIAL), text);
    const { asked, download } = source();
    if (from > 0) {
      await expect(store.ensure(BLOB, download, { signal })).rejects.toMatchObject({
        type: 'TransferCorrupt',
      });
      expect(await partsIn(store)).toEqual([]);
    }
    await store.ensure(BLOB, download, { signal });
    expect(asked).toEqual(from > 0 ? [from, 0] : [0]);
  });

  it('needs no download when only the name was missing', async () => {
    const store = await fresh();
    await writeFile(join(store.directory, 'ingest', PARTIAL), BYTES);
    const { asked, download } = source();
    await store.ensure(BLOB, download, { signal });
    expect([asked, await store.has(BLOB.digest)]).toEqual([[], true]);
  });
});

describe('the part that another process is downloading', () => {
  it('is left alone while that process lives, and taken over when it is dead', async () => {
    const store = await fresh();
    const ingest = join(store.directory, 'ingest');
    const living = `${writerName().replace(`.${process.pid}.`, `.${process.ppid}.`)}.${hexOf(BLOB.digest)}`;
    await writeFile(join(ingest, living), 'some ');
    const first = source();
    await store.ensure(BLOB, first.download, { signal });
    expect([first.asked, await partsIn(store)]).toEqual([[0], [living]]);
    await rename(store.pathOf(BLOB.digest), join(ingest, 'gone'));
    await rename(join(ingest, living), join(ingest, `${await deadWriter()}.${hexOf(BLOB.digest)}`));
    const again = await DirectoryContentStore.open(store.directory);
    const second = source();
    await again.ensure(BLOB, second.download, { signal });
    expect(second.asked).toEqual([5]);
  });

  it('is taken over from a process before us with our name and number, as in a container started again', async () => {
    const store = await fresh();
    const [host, pid] = writerName().split('.');
    await writeFile(join(store.directory, 'ingest', `${host}.${pid}.before.${hexOf(BLOB.digest)}`), 'some');
    const { asked, download } = source();
    await store.ensure(BLOB, download, { signal });
    expect(asked).toEqual([4]);
  });

  it('is never written by two stores of one directory at once', async () => {
    const store = await fresh();
    const other = await DirectoryContentStore.open(store.directory);
    await writeFile(join(store.directory, 'ingest', PARTIAL), 'some');
    const [a, b] = [source(), source()];
    await Promise.all([
      store.ensure(BLOB, a.download, { signal }),
      other.ensure(BLOB, b.download, { signal }),
    ]);
    expect([...a.asked, ...b.asked].toSorted()).toEqual([0, 4]);
    expect(await store.read(BLOB.digest, 100)).toEqual(BYTES);
  });
});

describe('parts', () => {
  it('count to the limit, and go when room is needed', async () => {
    const store = await fresh({ maxBytes: 3000 });
    const part = join(store.directory, 'ingest', `${'a'.repeat(64)}.partial`);
    await writeFile(part, Buffer.alloc(2000));
    await store.write(Buffer.alloc(900));
    expect(await partsIn(store)).toHaveLength(1);
    await store.write(Buffer.alloc(1100));
    expect(await partsIn(store)).toEqual([]);
  });

  it('that are a day old go when a worker starts', async () => {
    const store = await fresh();
    const [old, young] = ['a', 'b'].map((letter) => `${letter.repeat(64)}.partial`);
    for (const name of [old, young]) await writeFile(join(store.directory, 'ingest', `${name}`), 'part');
    const then = Date.now() / 1000 - 25 * 3600;
    await utimes(join(store.directory, 'ingest', `${old}`), then, then);
    await DirectoryContentStore.open(store.directory);
    expect(await partsIn(store)).toEqual([young]);
  });
});

describe('upload sessions on disk', () => {
  const repository = { host: 'reg.example.com', path: 'a/b' };
  const session = { location: 'https://reg.example.com/s/1?_state=canary', minChunk: 5 };

  it('are found again, also after the process was killed, and only their user can read them', async () => {
    const directory = await temporaryDirectory();
    const slot = await (await FileUploadSessions.open(directory)).claim(repository, BLOB.digest);
    expect(slot.left).toBeUndefined();
    await slot.keep(session);
    const [name = ''] = await readdir(join(directory, 'sessions'));
    expect(name).not.toContain('canary');
    expect((await stat(join(directory, 'sessions', name))).mode & 0o777).toBe(0o600);
    const killed = name.replace(/^.*\.(?=[^.]+$)/, `${await deadWriter()}.`);
    await rename(join(directory, 'sessions', name), join(directory, 'sessions', killed));
    const again = await (await FileUploadSessions.open(directory)).claim(repository, BLOB.digest);
    expect(again.left).toEqual(session);
    await again.close(true);
    const [left = ''] = await readdir(join(directory, 'sessions'));
    expect(left).toMatch(new RegExp(`^${hexOf(BLOB.digest)}-[0-9a-f]{16}\\.json$`));
  });

  it('belong to one attempt at a time and to one repository, and end with the upload', async () => {
    const directory = await temporaryDirectory();
    const sessions = await FileUploadSessions.open(directory);
    const slot = await sessions.claim(repository, BLOB.digest);
    await slot.keep(session);
    expect((await sessions.claim(repository, BLOB.digest)).left).toBeUndefined();
    await slot.close(true);
    expect((await sessions.claim({ ...repository, path: 'a/c' }, BLOB.digest)).left).toBeUndefined();
    const next = await sessions.claim(repository, BLOB.digest);
    expect(next.left).toEqual(session);
    await next.close(false);
    expect(await readdir(join(directory, 'sessions'))).toEqual([]);
  });

  it('are whole at any moment: a worker may be killed while it notes where it is', async () => {
    const directory = await temporaryDirectory();
    const sessions = await FileUploadSessions.open(directory);
    const slot = await sessions.claim(repository, BLOB.digest);
    const note = async (): Promise<unknown> => {
      const [name = ''] = (await readdir(join(directory, 'sessions'))).filter((one) => one.split('.')[3]);
      return JSON.parse(await readFile(join(directory, 'sessions', name), 'utf8'));
    };
    await slot.keep({ location: 'https://registry.example/0', minChunk: 0 });
    let busy = true;
    const keeping = (async () => {
      for (let at = 1; at <= 300; at++)
        await slot.keep({ location: `https://registry.example/${at}`, minChunk: 0 });
      busy = false;
    })();
    while (busy) expect(await note()).toMatchObject({ minChunk: 0 });
    await keeping;
    expect(await note()).toMatchObject({ location: 'https://registry.example/300' });
    await slot.close(false);
    expect(await readdir(join(directory, 'sessions'))).toEqual([]);
  });

  it('that make no sense are as good as none', async () => {
    const directory = await temporaryDirectory();
    const sessions = await FileUploadSessions.open(directory);
    const slot = await sessions.claim(repository, BLOB.digest);
    await slot.keep(session);
    await slot.close(true);
    const [name = ''] = await readdir(join(directory, 'sessions'));
    const text = await readFile(join(directory, 'sessions', name), 'utf8');
    await writeFile(join(directory, 'sessions', name), text.slice(0, 20));
    expect((await sessions.claim(repository, BLOB.digest)).left).toBeUndefined();
  });
});
