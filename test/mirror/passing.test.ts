import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { FactoryError } from '../../src/common/errors.js';
import type { Passage } from '../../src/mirror/passage.js';
import { Passing } from '../../src/mirror/passing.js';
import { digestOf } from '../../src/registry/digest.js';
import { BLOB_TYPE } from '../../src/registry/manifest.js';
import { WHOLE_BYTES } from '../../src/registry/traits.js';
import type { BlobPart, ByteStream, Descriptor, Registry } from '../../src/registry/types.js';
import { imageOf, layerOf, ref } from '../support/images.js';
import { watchRequests } from '../support/request-counter.js';
import { built, crane, mirror, openSides, type Sides } from './side.js';

const SOURCE = ref('registry.example/harness/app:1');
const PIECES = ['the first piece, ', 'the second, ', 'and the last'].map((text) => Buffer.from(text));
const BYTES = Buffer.concat(PIECES);
const WHOLE = { from: 0, length: BYTES.length };
const blobOf = (bytes: Buffer): Descriptor => ({
  mediaType: BLOB_TYPE.ociLayer,
  digest: digestOf(bytes),
  size: bytes.length,
});

/** A source with these bytes, in pieces of at most ten; it notes from where on it is asked, and how that ends. */
function sourceOf(bytes: Buffer, breaks: { at: number; times: number } = { at: 0, times: 0 }) {
  const seen = { from: [] as number[], left: 0, aborted: 0 };
  const blob: Registry['blob'] = async (_repository, _descriptor, signal, from = 0): Promise<ByteStream> => {
    seen.from.push(from);
    signal?.addEventListener('abort', () => seen.aborted++);
    return {
      async *[Symbol.asyncIterator]() {
        for (let at = from; at < bytes.length; at += 10) {
          if (at >= breaks.at && breaks.times-- > 0) throw new FactoryError('RegistryUnavailable', 'reset');
          yield bytes.subarray(at, at + 10);
        }
      },
      destroy: () => {
        seen.left++;
      },
    };
  };
  return { blob, seen };
}

const nothing = { expects: () => false };
const { signal } = new AbortController();
const begin = (source: Pick<Registry, 'blob'>, part?: BlobPart, blob = blobOf(BYTES)): Passage => {
  const passage = new Passing(source, nothing).begin(SOURCE, blob, part, signal);
  if (passage === undefined) throw new Error('it should pass');
  return passage;
};
const textOf = async (passage: Passage, part: BlobPart): Promise<string> => {
  const pieces: Buffer[] = [];
  for await (const piece of passage.read(part)) pieces.push(piece);
  return Buffer.concat(pieces).toString();
};
const blobRequests = (sent: ReturnType<typeof watchRequests>, sides: Sides): string[] =>
  sent
    .filter(({ host, method, path }) => host === sides.source.host && method === 'GET' && /blobs/.test(path))
    .map(({ path }) => path);

describe('a blob that is only sent on', () => {
  it('is asked for at once, and its buffers are free when it was sent', async () => {
    const source = sourceOf(BYTES);
    const passage = begin(source);
    expect(source.seen.from).toEqual([0]);
    expect(await textOf(passage, WHOLE)).toBe(BYTES.toString());
    passage.end();
    await vi.waitFor(() => expect(source.seen).toEqual({ from: [0], left: 1, aborted: 0 }));
  });

  it('does not come to its end with other bytes than its digest says', async () => {
    const wrong = Buffer.from(BYTES.toString().replace('last', 'lost'));
    const passage = begin(sourceOf(wrong));
    let passed = '';
    const read = async (): Promise<void> => {
      for await (const piece of passage.read(WHOLE)) passed += piece.toString();
    };
    await expect(read()).rejects.toMatchObject({ type: 'TransferCorrupt' });
    expect(passed).toBe(wrong.toString().slice(0, 40));
  });

  it('is not read on once nobody wants it', () => {
    const source = sourceOf(BYTES);
    begin(source).stop();
    expect(source.seen.aborted).toBe(1);
  });

  it('serves parts that follow on each other from one answer', async () => {
    const source = sourceOf(BYTES);
    const passage = begin(source, { from: 0, length: 15 });
    const parts = [];
    for (let from = 0; from < BYTES.length; from += 15)
      parts.push(await textOf(passage, { from, length: Math.min(15, BYTES.length - from) }));
    expect(parts.join('|')).toBe('the first piece|, the second, a|nd the last');
    expect(source.seen.from).toEqual([0]);
  });

  it('goes on where the target says that it is, and is still looked at as a whole', async () => {
    const wrong = Buffer.from(BYTES.toString().replace('first', 'worst'));
    for (const [bytes, right] of [
      [BYTES, true],
      [wrong, false],
    ] as const) {
      const source = sourceOf(bytes);
      const passage = begin(source, { from: 0, length: 20 });
      await textOf(passage, { from: 0, length: 20 });
      const rest = textOf(passage, { from: 12, length: BYTES.length - 12 });
      if (right) expect(await rest).toBe(BYTES.subarray(12).toString());
      else await expect(rest).rejects.toMatchObject({ type: 'TransferCorrupt' });
      expect(source.seen.from).toEqual([0, 12]);
    }
  });

  it('is asked for again when the answer ended while the target took its time with a part', async () => {
    const source = sourceOf(BYTES, { at: 20, times: 1 });
    const passage = begin(source, { from: 0, length: 20 });
    await textOf(passage, { from: 0, length: 20 });
    expect(await textOf(passage, { from: 20, length: 21 })).toBe(BYTES.subarray(20).toString());
    expect(source.seen.from).toEqual([0, 20]);
  });

  it('fails with the source’s error when it breaks off within a part, or twice', async () => {
    for (const breaks of [
      { at: 30, times: 1 },
      { at: 20, times: 2 },
    ]) {
      const passage = begin(sourceOf(BYTES, breaks), { from: 0, length: 20 });
      await textOf(passage, { from: 0, length: 20 });
      await expect(textOf(passage, { from: 20, length: 21 })).rejects.toThrow('reset');
    }
  });

  it('begins in the middle where another process stopped', async () => {
    const source = sourceOf(BYTES);
    const part = { from: 17, length: BYTES.length - 17 };
    expect(await textOf(begin(source, part), part)).toBe(BYTES.subarray(17).toString());
    expect(source.seen.from).toEqual([17]);
  });

  it('says when its source does not wait for a slow reader, unless it is small', async () => {
    const fast = async (): Promise<ByteStream> => ({
      unbounded: true,
      async *[Symbol.asyncIterator]() {},
      destroy: () => {},
    });
    const large = { ...blobOf(BYTES), size: WHOLE_BYTES + 1 };
    expect(await begin({ blob: fast }, WHOLE, large).isBounded()).toBe(false);
    expect(await begin({ blob: fast }).isBounded()).toBe(true);
    expect(await begin(sourceOf(BYTES), WHOLE, large).isBounded()).toBe(true);
  });

  it('may pass again once it has arrived', () => {
    const passing = new Passing(sourceOf(BYTES), nothing);
    passing.begin(SOURCE, blobOf(BYTES), undefined, signal);
    passing.arrived(blobOf(BYTES));
    expect(passing.begin(SOURCE, blobOf(BYTES), undefined, signal)).toBeDefined();
  });

  it.each([
    ['broke off before', blobOf(BYTES), nothing],
    ['is here or on its way', blobOf(Buffer.from('kept')), { expects: () => true }],
    ['is large and sent in one request', { ...blobOf(BYTES), size: WHOLE_BYTES + 1 }, nothing],
    ['is empty', blobOf(Buffer.alloc(0)), nothing],
  ])('is kept where it %s', (why, descriptor, content) => {
    const source = sourceOf(BYTES);
    const passing = new Passing(source, content);
    if (why === 'broke off before') passing.begin(SOURCE, descriptor, undefined, signal);
    const asked = source.seen.from.length;
    expect(passing.begin(SOURCE, descriptor, undefined, signal)).toBeUndefined();
    expect(source.seen.from).toHaveLength(asked);
  });
});

describe('a mirror', () => {
  it('writes no layer to the worker’s disk when nobody scans it', async () => {
    const sides = await openSides();
    const layers = [layerOf({ a: 'one' }), layerOf({ b: 'two' })];
    const task = await built(sides, 'harness/app:1', imageOf({ layers }));
    await mirror(sides, task);
    await crane('validate', '--remote', task.target);
    const kept = await readdir(join(sides.content.directory, 'blobs', 'sha256'));
    expect(kept.filter((name) => layers.some(({ descriptor }) => descriptor.digest.endsWith(name)))).toEqual(
      [],
    );
  });

  it('asks the source once more, and then not again, for a layer that its target did not take', async () => {
    const sides = await openSides();
    const layer = layerOf({ a: 'one' });
    const task = await built(sides, 'harness/app:1', imageOf({ layers: [layer] }));
    const target = sides.client();
    onTestFinished(() => target.close());
    const ensure = target.ensureBlob.bind(target);
    let fails = 3;
    target.ensureBlob = (repository, descriptor, open, options) =>
      ensure(
        repository,
        descriptor,
        async function* (part) {
          for await (const piece of open(part)) {
            if (descriptor.digest === layer.descriptor.digest && fails-- > 0)
              throw new FactoryError('RegistryUnavailable', 'the target went away');
            yield piece;
          }
        },
        options,
      );
    const sent = watchRequests();
    for (let attempt = 0; attempt < 3; attempt++)
      await expect(mirror(sides, task, target)).rejects.toThrow('the target went away');
    await mirror(sides, task, target);
    expect(blobRequests(sent, sides)).toHaveLength(2);
    await crane('validate', '--remote', task.target);
  });

  it('asks the source twice, however many images share a layer, where the target does not mount', async () => {
    const sides = await openSides();
    const shared = layerOf({ 'lib/shared': 'the same in all' });
    const target = sides.client();
    onTestFinished(() => target.close());
    const ensure = target.ensureBlob.bind(target);
    target.ensureBlob = (repository, descriptor, open, { mountFrom: _, ...options }) =>
      ensure(repository, descriptor, open, options);
    const sent = watchRequests();
    for (const name of ['a', 'b', 'c', 'd']) {
      const image = imageOf({ layers: [shared, layerOf({ own: name })] });
      await mirror(sides, await built(sides, `harness/${name}:1`, image), target);
    }
    const about = blobRequests(sent, sides).filter((path) => path.includes(shared.descriptor.digest));
    expect(about).toHaveLength(2);
  });
});
