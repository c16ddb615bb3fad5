import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { FactoryError } from '../../src/common/errors.js';
import { collect } from '../../src/common/streams.js';
import { Passing } from '../../src/mirror/passing.js';
import { digestOf } from '../../src/registry/digest.js';
import { BLOB_TYPE } from '../../src/registry/manifest.js';
import { WHOLE_BYTES } from '../../src/registry/traits.js';
import type { ByteStream, Descriptor, Registry } from '../../src/registry/types.js';
import { imageOf, layerOf, ref } from '../support/images.js';
import { watchRequests } from '../support/request-counter.js';
import { built, crane, mirror, openSides, type Sides } from './side.js';

const SOURCE = ref('registry.example/harness/app:1');
const PIECES = ['the first piece, ', 'the second, ', 'and the last'].map((text) => Buffer.from(text));
const BYTES = Buffer.concat(PIECES);
const blobOf = (bytes: Buffer): Descriptor => ({
  mediaType: BLOB_TYPE.ociLayer,
  digest: digestOf(bytes),
  size: bytes.length,
});

/** A source that sends these pieces, and counts how often it is asked and left. */
function sourceOf(pieces: readonly Buffer[]) {
  const seen = { asked: 0, left: 0, aborted: false };
  const blob: Registry['blob'] = async (_repository, _descriptor, signal): Promise<ByteStream> => {
    seen.asked++;
    signal?.addEventListener('abort', () => {
      seen.aborted = true;
    });
    return {
      async *[Symbol.asyncIterator]() {
        yield* pieces;
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
const blobRequests = (sent: ReturnType<typeof watchRequests>, sides: Sides): string[] =>
  sent
    .filter(({ host, method, path }) => host === sides.source.host && method === 'GET' && /blobs/.test(path))
    .map(({ path }) => path);

describe('a blob that is only sent on', () => {
  it('is asked for at once, and leaves its connection when it has passed', async () => {
    const source = sourceOf(PIECES);
    const stream = new Passing(source, nothing).open(SOURCE, blobOf(BYTES), signal);
    expect(source.seen.asked).toBe(1);
    expect((await collect(stream ?? Readable.from([]), BYTES.length)).equals(BYTES)).toBe(true);
    expect(source.seen.left).toBe(1);
  });

  it('does not come to its end with other bytes than its digest says', async () => {
    const other = [...PIECES.slice(0, 2), Buffer.from('and the lost')];
    const stream = new Passing(sourceOf(other), nothing).open(SOURCE, blobOf(BYTES), signal);
    const passed: string[] = [];
    const read = async (): Promise<void> => {
      for await (const piece of stream ?? []) passed.push(piece.toString());
    };
    await expect(read()).rejects.toMatchObject({ type: 'TransferCorrupt' });
    expect(passed).toEqual(['the first piece, ', 'the second, ']);
  });

  it('is not read on once nobody wants it', () => {
    const source = sourceOf(PIECES);
    new Passing(source, nothing).open(SOURCE, blobOf(BYTES), signal)?.destroy();
    expect(source.seen.aborted).toBe(true);
  });

  it.each([
    ['was asked for before', blobOf(BYTES), nothing],
    ['is here or on its way', blobOf(Buffer.from('kept')), { expects: () => true }],
    ['is sent in parts that may be gone on with', { ...blobOf(BYTES), size: WHOLE_BYTES + 1 }, nothing],
    ['is empty', blobOf(Buffer.alloc(0)), nothing],
  ])('is kept where it %s', (why, descriptor, content) => {
    const source = sourceOf(PIECES);
    const passing = new Passing(source, content);
    if (why === 'was asked for before') passing.open(SOURCE, descriptor, signal);
    const asked = source.seen.asked;
    expect(passing.open(SOURCE, descriptor, signal)).toBeUndefined();
    expect(source.seen.asked).toBe(asked);
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
});
