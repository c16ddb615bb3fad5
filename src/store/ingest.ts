import { constants, createWriteStream } from 'node:fs';
import { open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { FactoryError } from '../common/errors.js';
import type { Digest } from '../contract/brand.js';
import { hexOf } from '../registry/digest.js';
import type { ByteStream } from '../registry/types.js';
import type { Claims } from './claims.js';
import type { Scratch } from './content.js';
import { BlobHash } from './hashing.js';
import { PartWriter } from './part-writer.js';
import type { Room } from './room.js';
import type { Progress } from './shared-downloads.js';
import { codeOf, diskFull, writerName } from './writers.js';

/** A blob that is to be, and where it belongs. */
export interface Arrival {
  digest: Digest;
  size: number;
  path: string;
}

/**
 * Writes blobs: to a file of the writer's own, checked, then renamed to their place, so that what has a name is whole.
 *
 * Nothing is flushed to the disk. That took half of the time of a fleet's first mirror (20 images, 688 MB: 12 to 18 s
 * with it, 6 to 9 s without), and protects from one thing only: that power is lost within seconds of a download. What
 * was written before the machine started is therefore read through before it is used (`DirectoryContentStore`).
 */
export class Ingest {
  constructor(
    private readonly directory: string,
    private readonly parts: Claims,
    private readonly room: Room,
  ) {}

  /** Writes bytes whose digest is known to be right. @throws FactoryError `DiskFull` */
  async write({ path, size }: Arrival, bytes: Buffer): Promise<void> {
    const temporary = join(this.directory, writerName());
    await this.settled(size, async () => {
      try {
        await writeFile(temporary, bytes, { flag: 'wx', mode: 0o600 });
        await rename(temporary, path);
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    });
  }

  /**
   * Writes a stream whose size and digest are known at its end only; room is made as it comes.
   * @throws FactoryError `DiskFull`; what the stream fails with; the signal's reason if it fired
   */
  async store(
    stream: Readable,
    pathOf: (digest: Digest) => string,
    signal: AbortSignal,
  ): Promise<{ digest: Digest; size: number }> {
    const temporary = join(this.directory, writerName());
    const hash = new BlobHash();
    const room = this.room.growing();
    let size = 0;
    try {
      const counted = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
        for await (const chunk of chunks) {
          hash.update(chunk);
          size += chunk.length;
          await room.upTo(size);
          yield chunk;
        }
      };
      const file = createWriteStream(temporary, { flags: 'wx', mode: 0o600 });
      await pipeline(stream, counted, file, { signal });
      const digest = hash.digest();
      room.end(); // and at once again, of what it turned out to be
      await this.settled(size, () => rename(temporary, pathOf(digest)));
      return { digest, size };
    } catch (error) {
      signal.throwIfAborted();
      throw diskFull(error, dirname(this.directory), 'CONTENT_DIR') ?? error;
    } finally {
      await rm(temporary, { force: true });
      room.end();
    }
  }

  /** A file of a caller's own, with room in the store. */
  scratch(): Scratch {
    const path = join(this.directory, writerName());
    const room = this.room.growing();
    const remove = async (): Promise<void> => {
      await rm(path, { force: true });
      room.end();
    };
    return { path, grow: (bytes) => room.upTo(bytes), remove };
  }

  /**
   * Goes on with what is there of a blob, else starts at 0. What a broken download has brought is kept.
   * @throws FactoryError `TransferCorrupt`, `DiskFull`; what `download` throws; the signal's reason if it fired
   */
  async download(
    arrival: Arrival,
    download: (signal: AbortSignal, from: number) => Promise<ByteStream>,
    signal: AbortSignal,
    progress: Progress,
  ): Promise<void> {
    const key = hexOf(arrival.digest);
    const part = await this.parts.claim(key);
    try {
      await this.settled(arrival.size, async () => {
        await this.receive(part, arrival, download, signal, progress);
        await rename(part, arrival.path);
      });
    } catch (error) {
      // On a full disk the room is worth more than the part.
      const full = error instanceof FactoryError && error.type === 'DiskFull';
      const useless = full || error instanceof Worthless || (await sizeOf(part)) === 0;
      if (useless) await rm(part, { force: true });
      else await this.parts.release(part, key);
      signal.throwIfAborted();
      throw error;
    }
  }

  private async receive(
    part: string,
    { digest, size }: Arrival,
    download: (signal: AbortSignal, from: number) => Promise<ByteStream>,
    signal: AbortSignal,
    progress: Progress,
  ): Promise<void> {
    const file = await open(part, constants.O_RDWR | constants.O_CREAT, 0o600);
    let received = (await file.stat()).size;
    if (received > size) {
      await file.truncate();
      received = 0;
    }
    const hash = new BlobHash();
    let source: ByteStream | undefined;
    try {
      // Before anything is asked for: a server does not wait for as long as a large part may take.
      await hash.read(file, received, signal);
      const onWritten = (length: number): void => progress.onWritten(part, length);
      const writer = new PartWriter(file, received, onWritten);
      if (received > 0) onWritten(received);
      if (received < size) source = await download(signal, received);
      try {
        for await (const bytes of source ?? []) {
          signal.throwIfAborted();
          if (received + bytes.length > size)
            throw new Worthless(digest, `has more than the ${size} bytes that were announced`);
          received += bytes.length;
          await writer.add(bytes);
          hash.update(bytes); // while it is being written
          progress.onBytes(received);
        }
        await writer.end();
      } catch (error) {
        // What has come is kept to be gone on with; that it can't be written matters less than why it broke off.
        await writer.end().catch(() => undefined);
        if (error instanceof FactoryError || isFileError(error)) throw error;
        signal.throwIfAborted();
        const why = `broke off after ${received} of ${size} bytes (${codeOf(error) ?? 'no code'})`;
        throw corrupt(digest, why, error);
      }
      if (received < size) throw corrupt(digest, `ended after ${received} of ${size} bytes`);
      if (hash.digest() !== digest) throw new Worthless(digest, 'has other bytes than its digest says');
    } finally {
      source?.destroy(); // not before: its pieces were being written
      await file.close();
    }
  }

  /** Does work that needs room on the disk. */
  private async settled(size: number, work: () => Promise<void>): Promise<void> {
    const settle = await this.room.reserve(size);
    let written = false;
    try {
      await work();
      written = true;
    } catch (error) {
      const full = diskFull(error, dirname(this.directory), 'CONTENT_DIR');
      if (full === undefined) throw error;
      await this.room.giveUp(size);
      throw full;
    } finally {
      settle(written);
    }
  }
}

const corrupt = (digest: Digest, why: string, cause?: unknown): FactoryError =>
  new FactoryError('TransferCorrupt', `The download of ${digest} ${why}.`, { cause });

/** Bytes that nobody should go on from. */
class Worthless extends FactoryError {
  constructor(digest: Digest, why: string) {
    super('TransferCorrupt', `The download of ${digest} ${why}.`);
  }
}

const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => undefined))?.size ?? 0;

/** A fault of this machine's disk, not of the transfer. */
const isFileError = (error: unknown): boolean =>
  ['EACCES', 'EPERM', 'EROFS', 'EIO', 'EMFILE', 'ENFILE', 'ENOENT', 'ENOSPC', 'EDQUOT'].includes(
    codeOf(error) ?? '',
  );
