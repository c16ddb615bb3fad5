import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, mkdir, open, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import { FactoryError } from '../common/errors.js';
import type { Digest } from '../contract/brand.js';
import { digestOf, hexOf, parseDigest } from '../registry/digest.js';
import type { Descriptor } from '../registry/types.js';
import type { ContentStore } from './content.js';
import { Leases } from './leases.js';
import { Room } from './room.js';
import { SharedDownloads } from './shared-downloads.js';
import { codeOf, diskFull, sweepAbandoned, writerName } from './writers.js';

/** 20 GiB: a fleet of 40 two-platform images with room for two releases. */
const DEFAULT_MAX_BYTES = 20 * 2 ** 30;

/**
 * The {@link ContentStore} on a directory that several processes may share. When it would grow beyond `maxBytes`, the
 * blobs not used for longest go, except leased ones: lease first, then ensure.
 */
export class DirectoryContentStore implements ContentStore {
  private readonly downloads = new SharedDownloads();

  private constructor(
    readonly directory: string,
    private readonly leases: Leases,
    private readonly room: Room,
  ) {}

  /** Makes the layout if it is not there, and removes what dead writers left. @throws FactoryError `DiskFull` */
  static async open(directory: string, options: { maxBytes?: number } = {}): Promise<DirectoryContentStore> {
    const root = resolve(directory);
    try {
      await mkdir(join(root, 'blobs', 'sha256'), { recursive: true, mode: 0o700 });
      await mkdir(join(root, 'ingest'), { recursive: true, mode: 0o700 });
      const leases = new Leases(join(root, 'leases'));
      const room = new Room(join(root, 'blobs', 'sha256'), options.maxBytes ?? DEFAULT_MAX_BYTES, leases);
      const store = new DirectoryContentStore(root, leases, room);
      await sweepAbandoned(join(root, 'ingest'));
      await store.writeOnce('oci-layout', '{"imageLayoutVersion":"1.0.0"}');
      await store.writeOnce('index.json', '{"schemaVersion":2,"manifests":[]}');
      return store;
    } catch (error) {
      throw diskFull(error, root, 'CONTENT_DIR') ?? error;
    }
  }

  async has(digest: Digest): Promise<boolean> {
    return (await this.sizeOf(digest)) !== undefined;
  }

  pathOf(digest: Digest): string {
    // Checked again, because a cast is all that stands between a registry's text and a path.
    return join(this.directory, 'blobs', 'sha256', hexOf(parseDigest(digest)));
  }

  async read(digest: Digest, maxBytes: number): Promise<Buffer | undefined> {
    const size = await this.sizeOf(digest);
    if (size === undefined) return undefined;
    if (size > maxBytes)
      throw new FactoryError(
        'ImageUnsupported',
        `${digest} has ${size} bytes, and at most ${maxBytes} are read.`,
      );
    const bytes = await readFile(this.pathOf(digest)).catch(absent);
    if (bytes !== undefined && digestOf(bytes) === digest) {
      await this.touch(digest);
      return bytes;
    }
    await rm(this.pathOf(digest), { force: true }); // damaged on disk: as good as absent, so it is fetched again
    return undefined;
  }

  async write(bytes: Buffer): Promise<Digest> {
    const digest = digestOf(bytes);
    if ((await this.sizeOf(digest)) === bytes.length) await this.touch(digest);
    else await this.store({ digest, size: bytes.length }, [bytes], new AbortController().signal);
    return digest;
  }

  open(digest: Digest): Readable {
    void this.touch(digest);
    return createReadStream(this.pathOf(digest));
  }

  async ensure(
    descriptor: Descriptor,
    download: (signal: AbortSignal) => Promise<Readable>,
    options: { signal: AbortSignal; onBytes?: (received: number) => void },
  ): Promise<void> {
    const { digest, size } = descriptor;
    await this.downloads.join(parseDigest(digest), options, async (signal, onBytes) => {
      if ((await this.sizeOf(digest)) === size) return this.touch(digest);
      const source = await download(signal);
      source.on('error', () => undefined); // reading it reports the error; before that nobody listens
      addAbortSignal(signal, source);
      try {
        await this.store(descriptor, source, signal, onBytes);
      } finally {
        source.destroy();
      }
    });
  }

  lease(digests: Iterable<Digest>): () => void {
    return this.leases.take(digests);
  }

  private async sizeOf(digest: Digest): Promise<number | undefined> {
    return (await stat(this.pathOf(digest)).catch(absent))?.size;
  }

  /** Marks a blob as used now; `relatime` mounts don't keep access times, so the modification time serves. */
  private async touch(digest: Digest): Promise<void> {
    const now = new Date();
    await utimes(this.pathOf(digest), now, now).catch(() => undefined); // only a hint for eviction
  }

  private async store(
    { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
    source: AsyncIterable<Buffer> | Iterable<Buffer>,
    signal: AbortSignal,
    onBytes?: (received: number) => void,
  ): Promise<void> {
    const temporary = join(this.directory, 'ingest', writerName());
    const hash = createHash('sha256');
    let received = 0;
    const corrupt = (why: string, cause?: unknown): FactoryError =>
      new FactoryError('TransferCorrupt', `The download of ${digest} ${why}.`, { cause });
    const settle = await this.room.reserve(size);
    let written = false;
    try {
      const file = await open(temporary, 'wx', 0o600);
      try {
        for await (const chunk of source) {
          received += chunk.length;
          if (received > size) throw corrupt(`has more than the ${size} bytes that were announced`);
          hash.update(chunk);
          await file.writeFile(chunk); // at the handle's position, so it appends
          onBytes?.(received);
        }
        if (received < size) throw corrupt(`ended after ${received} of ${size} bytes`);
        if (`sha256:${hash.digest('hex')}` !== digest) throw corrupt('has other bytes than its digest says');
        await file.datasync(); // a name must not outlive its bytes when the machine loses power
      } finally {
        await file.close();
      }
      await rename(temporary, this.pathOf(digest));
      written = true;
    } catch (error) {
      await rm(temporary, { force: true });
      signal.throwIfAborted();
      if (error instanceof FactoryError) throw error;
      const full = diskFull(error, this.directory, 'CONTENT_DIR');
      if (full !== undefined) await this.room.giveUp(size);
      if (full !== undefined) throw full;
      if (isFileError(error)) throw error;
      throw corrupt(`broke off after ${received} of ${size} bytes (${codeOf(error) ?? 'no code'})`, error);
    } finally {
      settle(written);
    }
  }

  /** Writes one of the layout's own files unless it is there, whole or not at all. */
  private async writeOnce(name: string, text: string): Promise<void> {
    const temporary = join(this.directory, 'ingest', writerName());
    await writeFile(temporary, text, { mode: 0o600 });
    try {
      await link(temporary, join(this.directory, name));
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    } finally {
      await rm(temporary, { force: true });
    }
  }
}

function absent(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
}

/** A fault of this machine's disk, not of the transfer. */
const isFileError = (error: unknown): boolean =>
  ['EACCES', 'EPERM', 'EROFS', 'EIO', 'EMFILE', 'ENFILE', 'ENOENT'].includes(codeOf(error) ?? '');
