import { randomBytes } from 'node:crypto';
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

/**
 * A source with these bytes, in pieces of at most ten; it notes from where on it is asked, and how that ends. `breaks`
 * counts the answers that break off at a place.
 */
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
  it('is asked for at once', async () => {
    const source = sourceOf(BYTES);
    const passage = begin(source);
    expect(source.seen.from).toEqual([0]);
    expect(await textOf(passage, WHOLE)).toBe(BYTES.toString());
  });

  it('keeps its last bytes back when the digest is wrong', async () => {
    const wrong = Buffer.from(BYTES.toString().replace('last', 'lost'));
    const passage = begin(sourceOf(wrong));
    let passed = '';
    const read = async (): Promise<void> => {
      for await (const piece of passage.read(WHOLE)) passed += piece.toString();
    };
    await expect(read()).rejects.toMatchObject({ type: 'TransferCorrupt' });
    expect(passed).toBe(wrong.toString().slice(0, 40));
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

  it('goes on where the target says that it is, and is checked over all that came first', async () => {
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

  it('is asked for again once in a part, from where its answer broke off', async () => {
    for (const [at, asked] of [
      [20, [0, 20]], // while the target took its time with the part before
      [30, [0, 30]], // within the part
    ] as const) {
      const source = sourceOf(BYTES, { at, times: 1 });
      const passage = begin(source, { from: 0, length: 20 });
      await textOf(passage, { from: 0, length: 20 });
      expect(await textOf(passage, { from: 20, length: 21 })).toBe(BYTES.subarray(20).toString());
      expect(source.seen.from).toEqual(asked);
    }
    const passage = begin(sourceOf(BYTES, { at: 20, times: 2 }));
    await expect(textOf(passage, WHOLE)).rejects.toThrow('reset');
  });

  it('is not asked for again when the source refuses it, or nobody wants it any more', async () => {
    const refused = { asked: 0 };
    const refusing = begin({
      blob: async () => {
        refused.asked++;
        throw new FactoryError('ImageNotFound', 'it is gone');
      },
    });
    await expect(textOf(refusing, WHOLE)).rejects.toThrow('it is gone');
    expect(refused.asked).toBe(1);
    const stop = new AbortController();
    const source = sourceOf(BYTES, { at: 10, times: 1 });
    const passage = new Passing(source, nothing).begin(SOURCE, blobOf(BYTES), undefined, stop.signal);
    const pieces = passage?.read(WHOLE);
    await pieces?.next();
    stop.abort();
    await expect(pieces?.next()).rejects.toThrow('reset');
    expect(source.seen.from).toEqual([0]);
  });

  it('fails when its source ends early', async () => {
    const short = begin(sourceOf(BYTES.subarray(0, 20)), undefined, blobOf(BYTES));
    await expect(textOf(short, WHOLE)).rejects.toMatchObject({ type: 'TransferCorrupt' });
  });

  it('gives nothing to a reader whose request has ended when the next one begins', async () => {
    const source = sourceOf(BYTES);
    const passage = begin(source, { from: 0, length: 20 });
    const first = passage.read({ from: 0, length: 20 });
    await first.next();
    const waiting = first.next(); // its request is refused now
    const second = textOf(passage, { from: 0, length: BYTES.length });
    expect((await waiting).done).toBe(true);
    expect(await second).toBe(BYTES.toString());
    expect(source.seen).toMatchObject({ from: [0, 0], aborted: 1 });
  });

  it('begins in the middle, unchecked, where an earlier attempt has stopped', async () => {
    const source = sourceOf(BYTES);
    const passing = new Passing(source, nothing);
    passing.begin(SOURCE, blobOf(BYTES), { from: 0, length: 17 }, signal);
    const part = { from: 17, length: BYTES.length - 17 };
    const passage = passing.begin(SOURCE, blobOf(BYTES), part, signal);
    expect(await textOf(passage ?? begin(source), part)).toBe(BYTES.subarray(17).toString());
    expect(source.seen.from).toEqual([0, 17]);
  });

  it('does not pass a second time from its beginning until it has arrived', () => {
    const passing = new Passing(sourceOf(BYTES), nothing);
    const blob = blobOf(BYTES);
    expect(passing.begin(SOURCE, blob, undefined, signal)).toBeDefined();
    expect(passing.begin(SOURCE, blob, undefined, signal)).toBeUndefined();
    passing.arrived(blob);
    expect(passing.begin(SOURCE, blob, undefined, signal)).toBeDefined();
  });

  it.each([
    ['is here or on its way', blobOf(BYTES), { expects: () => true }],
    ['is large and sent in one request', { ...blobOf(BYTES), size: WHOLE_BYTES + 1 }, nothing],
    ['is empty', blobOf(Buffer.alloc(0)), nothing],
  ])('does not pass where it %s', (_, descriptor, content) => {
    const source = sourceOf(BYTES);
    expect(new Passing(source, content).begin(SOURCE, descriptor, undefined, signal)).toBeUndefined();
    expect(source.seen.from).toEqual([]);
  });
});

describe('a mirror', () => {
  it('writes no layer to the worker’s disk when nobody scans it', async () => {
    const sides = await openSides();
    const layers = [layerOf({ a: 'one' }), layerOf({ large: randomBytes(WHOLE_BYTES) })];
    const task = await built(sides, 'harness/app:1', imageOf({ layers }));
    const arrive = vi.spyOn(sides.content, 'arrive');
    await mirror(sides, task);
    await crane('validate', '--remote', task.target);
    const asked = arrive.mock.calls.map(([{ digest }]) => digest);
    expect(layers.filter(({ descriptor }) => asked.includes(descriptor.digest))).toEqual([]);
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

  it('asks the source twice at most, however many images share a layer, where the target does not mount', async () => {
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
