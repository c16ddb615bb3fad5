import { expect, it } from 'vitest';
import { collect } from '../../src/common/streams.js';
import { BlobSource } from '../../src/mirror/blob-source.js';
import { SourceFetcher } from '../../src/mirror/fetch.js';
import { WHOLE_BYTES } from '../../src/registry/traits.js';
import type { ByteStream, Registry } from '../../src/registry/types.js';
import { DirectoryContentStore } from '../../src/store/content-directory.js';
import { temporaryDirectory } from '../support/directory.js';
import { imageOf, layerOf, ref } from '../support/images.js';
import { MemoryRegistry } from '../support/memory-registry.js';

const SOURCE = ref('docker.io/harness/ci-addon:1');

/** A layer at a source, on its way through a worker. */
async function layerOnItsWay(answer: (stream: ByteStream) => ByteStream = (stream) => stream) {
  const layer = layerOf({ a: 'one' });
  const memory = new MemoryRegistry().add(SOURCE, imageOf({ layers: [layer] }));
  const seen = { aborted: 0, freed: 0 };
  const registry: Registry = Object.assign(Object.create(memory), {
    blob: async (...asked: Parameters<Registry['blob']>): Promise<ByteStream> => {
      const [repository, descriptor, signal] = asked;
      signal?.addEventListener('abort', () => seen.aborted++);
      const stream = await memory.blob(repository, descriptor, signal);
      return answer({
        [Symbol.asyncIterator]: () => stream[Symbol.asyncIterator](),
        destroy: () => {
          seen.freed++;
        },
      });
    },
  });
  const content = await DirectoryContentStore.open(await temporaryDirectory());
  const fetcher = new SourceFetcher(registry, content);
  const source = () =>
    new BlobSource(
      layer.descriptor,
      false,
      { source: SOURCE },
      { content, fetcher },
      new AbortController().signal,
    );
  const asked = (): number =>
    memory.calls.filter((call) => call === `blob ${layer.descriptor.digest}`).length;
  const read = (bytes: AsyncIterable<Buffer>): Promise<Buffer> => collect(bytes, layer.bytes.length);
  const kept = (): Promise<boolean> => content.has(layer.descriptor.digest);
  return { layer, source, asked, read, kept, seen };
}

it('a blob that was sent frees its buffers, and may pass again', async () => {
  const { layer, source, asked, read, kept, seen } = await layerOnItsWay();
  for (const times of [1, 2]) {
    const one = source();
    expect((await read(one.open(undefined, false))).equals(layer.bytes)).toBe(true);
    await one.settle();
    await expect.poll(() => seen.freed).toBe(times);
    expect([asked(), await kept()]).toEqual([times, false]);
  }
});

it('a blob whose upload begins again is not asked for by two, and goes through the content store then', async () => {
  for (const part of [undefined, { from: 0, length: 10 }]) {
    const { layer, source, asked, read, kept, seen } = await layerOnItsWay();
    const one = source();
    one.open(part, false);
    const again = one.open(undefined, false);
    expect(seen.aborted).toBe(1);
    expect((await read(again)).equals(layer.bytes)).toBe(true);
    await one.settle();
    expect([asked(), await kept()]).toEqual([2, true]);
  }
});

it('a failed push ends what it has asked of the source', async () => {
  const { source, seen } = await layerOnItsWay();
  const one = source();
  one.open(undefined, false);
  await one.stop(new Error('the target is gone'));
  expect(seen.aborted).toBe(1);
});

it('a blob that the next image will have to be sent, too, is kept', async () => {
  const { layer, source, asked, read, kept } = await layerOnItsWay();
  for (const one of [source(), source()]) {
    expect((await read(one.open(undefined, true))).equals(layer.bytes)).toBe(true);
    await one.settle();
  }
  expect([asked(), await kept()]).toEqual([1, true]);
});

it('a large blob whose source does not wait for a slow target goes through the content store', async () => {
  const { layer, asked, read, kept, seen, source } = await layerOnItsWay((stream) => ({
    ...stream,
    unbounded: true,
  }));
  const small = source();
  await read(small.open(undefined, false));
  await small.settle();
  expect([asked(), await kept()]).toEqual([1, false]);
  // Its size is looked at before its bytes are: no test need move 20 MiB for that.
  Object.assign(layer.descriptor, { size: WHOLE_BYTES + 1 });
  const large = source();
  expect(await read(large.open({ from: 0, length: 10 }, false))).toHaveLength(10);
  expect([asked(), seen.aborted > 0]).toEqual([3, true]);
  // The content store finds that it is no such blob.
  await expect(large.settle()).rejects.toMatchObject({ type: 'TransferCorrupt' });
});
