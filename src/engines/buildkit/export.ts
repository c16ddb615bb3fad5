import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { type Duplex, PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isDeepStrictEqual } from 'node:util';
import { createGunzip, createGzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { z } from 'zod';
import { PIECE_BYTES } from '../../common/buffers.js';
import { FactoryError } from '../../common/errors.js';
import type { StepContext } from '../../common/step.js';
import { collect } from '../../common/streams.js';
import type { Digest } from '../../contract/brand.js';
import { isDigest, parseDigest } from '../../registry/digest.js';
import { MAX_CONFIG_BYTES } from '../../registry/manifest.js';
import type { Descriptor } from '../../registry/types.js';
import type { ContentStore } from '../../store/content.js';
import { diskFull } from '../../store/writers.js';
import type { Daemon } from './daemon.js';
import { engineUnavailable } from './docker-error.js';

/** Larger layers than any runtime pulls in time; they bound what an engine can make us write. */
const MAX_LAYER_BYTES = 64 * 2 ** 30;
const MAX_ENTRIES = 20_000;
/** Fixed, so that the same layer always has the same digest. Node's gzip writes no time and no name. */
const GZIP = { level: 6 } as const;

const configSchema = z.object({
  created: z.string().optional(),
  rootfs: z.object({ diff_ids: z.array(z.string()) }),
  history: z.array(z.record(z.string(), z.unknown())).nullish(),
});

/** What a build has made, out of the archive that the engine saves. */
export interface Exported {
  /** By DiffID, those asked for: in the content store by now. */
  layers: Map<Digest, Descriptor>;
  /** Of the image's config, as the engine wrote it. */
  history: Record<string, unknown>[];
  created: string | undefined;
}

/**
 * Takes new layers out of a saved image: each file of the archive is known by what it hashes to, so the two layouts that
 * engines write need no telling apart. A base's layer is dropped when it was hashed, or at once where its name says what
 * it is; a new one is compressed into the content store. On the disk is one layer at a time.
 *
 * @param wanted DiffIDs of the new layers
 * @param all of all layers, in their order: which config is the image's
 * @throws FactoryError of the engine and the content store
 */
export async function exportLayers(
  name: string,
  { wanted, all, mediaType }: { wanted: ReadonlySet<Digest>; all: readonly Digest[]; mediaType: string },
  { daemon, content }: { daemon: Daemon; content: ContentStore },
  { signal, progress }: StepContext,
): Promise<Exported> {
  const found: Exported = { layers: new Map(), history: [], created: undefined };
  const taking = { wanted, all, mediaType, content, signal };
  await daemon.save(name, signal, async (saved) => {
    const archive = extract();
    saved.on('error', (error) => archive.destroy(error));
    saved.pipe(archive);
    let entries = 0;
    let bytes = 0;
    try {
      for await (const entry of archive) {
        const { name: path, type, size = 0 } = entry.header;
        entries++;
        bytes += size;
        progress({ phase: 'export', bytes });
        if (entries > MAX_ENTRIES || size > MAX_LAYER_BYTES)
          throw new FactoryError('BuildFailed', `${name} is larger than an image may be`);
        const digest = `sha256:${/(?:^|\/)([0-9a-f]{64})$/.exec(path)?.[1] ?? ''}`;
        const ofBase = isDigest(digest) && all.includes(digest) && !wanted.has(digest);
        if (type !== 'file' || size === 0 || ofBase) entry.resume();
        // Its types do not say what it yields.
        else await takeEntry(entry as AsyncIterable<Buffer>, size, taking, found);
      }
    } finally {
      archive.destroy();
    }
  });
  const lacking = [...wanted].filter((digest) => !found.layers.has(digest));
  if (lacking.length > 0) throw engineUnavailable(daemon.name, `its archive lacks the layer ${lacking[0]}`);
  return found;
}

interface Taking {
  wanted: ReadonlySet<Digest>;
  all: readonly Digest[];
  mediaType: string;
  content: ContentStore;
  signal: AbortSignal;
}

/** A file of the archive: the image's config, one of its layers, or neither. It is read to its end. */
async function takeEntry(
  entry: AsyncIterable<Buffer>,
  size: number,
  taking: Taking,
  found: Exported,
): Promise<void> {
  const { first, stream } = await begun(entry);
  if (size <= MAX_CONFIG_BYTES && first[0] === BRACE) {
    const bytes = await collect(stream, MAX_CONFIG_BYTES);
    const config = configIn(bytes);
    // A layer whose first file has such a name begins so too.
    if (config === undefined) return takeLayer(Readable.from([bytes]), bytes, taking, found);
    if (!isDeepStrictEqual(config.rootfs.diff_ids, taking.all)) return;
    found.history = config.history ?? [];
    found.created = config.created;
    return;
  }
  await takeLayer(stream, first, taking, found);
}

/** Keeps a layer that is wanted, compressed. */
async function takeLayer(stream: Readable, first: Buffer, taking: Taking, found: Exported): Promise<void> {
  const gzipped = first[0] === 0x1f && first[1] === 0x8b;
  const { content, signal } = taking;
  const file = content.scratch();
  const hash = createHash('sha256');
  let bytes = 0;
  const hashed = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > MAX_LAYER_BYTES) throw new FactoryError('BuildFailed', 'a layer is larger than it may be');
      await file.grow(bytes);
      hash.update(chunk);
      yield chunk;
    }
  };
  try {
    const plain = gzipped ? createGunzip() : new PassThrough();
    await pipeline(stream, plain, hashed, createWriteStream(file.path, { flags: 'wx', mode: 0o600 }), {
      signal,
    });
    const diffId: Digest = parseDigest(`sha256:${hash.digest('hex')}`);
    if (!taking.wanted.has(diffId) || found.layers.has(diffId)) return;
    const plainFile = createReadStream(file.path, { highWaterMark: PIECE_BYTES });
    const compressed = plainFile.compose<Duplex>(createGzip(GZIP));
    const { digest, size: length } = await content.store(compressed, signal);
    found.layers.set(diffId, { mediaType: taking.mediaType, digest, size: length });
  } catch (error) {
    throw diskFull(error, content.directory, 'CONTENT_DIR') ?? error;
  } finally {
    await file.remove();
  }
}

const BRACE = '{'.charCodeAt(0);

/** A stream's first bytes, and all of it. */
async function begun(source: AsyncIterable<Buffer>): Promise<{ first: Buffer; stream: Readable }> {
  const chunks = source[Symbol.asyncIterator]();
  const head = await chunks.next();
  const first: Buffer = head.done === true ? Buffer.alloc(0) : head.value;
  const all = async function* (): AsyncGenerator<Buffer> {
    yield first;
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
  };
  return { first, stream: Readable.from(all(), { objectMode: false }) };
}

function configIn(bytes: Buffer): z.output<typeof configSchema> | undefined {
  try {
    return configSchema.safeParse(JSON.parse(bytes.toString('utf8'))).data;
  } catch {
    return undefined;
  }
}
