import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { lendBuffer, PIECE_BYTES, returnBuffer } from '../common/buffers.js';
import type { BlobPart } from '../registry/types.js';
import { codeOf } from './writers.js';

/** A part of a file as a stream. */
export function readPart(path: string, { from, length }: BlobPart): Readable {
  if (length === 0) return Readable.from([]); // a stream's `end` can't say so, it is included
  return createReadStream(path, { start: from, end: from + length - 1, highWaterMark: PIECE_BYTES });
}

/**
 * A blob's bytes while they arrive: readers follow the file as it grows. The last of them are held back until the whole
 * was found to have its digest, so nobody ever gets to the end of wrong bytes.
 */
export class Growth {
  #state: 'coming' | 'whole' | { error: unknown } = 'coming';
  #part: string | undefined;
  #written = 0;
  #waiting: (() => void)[] = [];

  /** @param path where the blob is once it is whole. */
  constructor(
    private readonly path: string,
    private readonly size: number,
  ) {}

  /** So much is in the file by now. */
  readonly wrote = (part: string, length: number): void => {
    this.#part = part;
    this.#written = length;
    this.#wake();
  };

  end(state: 'whole' | { error: unknown }): void {
    this.#state = state;
    this.#wake();
  }

  /**
   * The bytes, waiting for those that are not there yet. Each buffer is the reader's until it asks for the one after the
   * next: two take turns, since new ones for all that passes had V8 collect garbage for a sixth of its time (measured).
   * Fails with the download's error.
   */
  async *open({ from, length }: BlobPart = { from: 0, length: this.size }): AsyncGenerator<Buffer> {
    const end = from + length;
    const size = Math.min(PIECE_BYTES, length);
    let [buffer, other] = [lendBuffer(size), lendBuffer(length > PIECE_BYTES ? size : 0)];
    let file: FileHandle | undefined;
    try {
      for (let at = from; at < end; ) {
        const until = await this.#readable(at, end);
        file ??= await this.#open();
        const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, until - at), at);
        if (bytesRead === 0) throw new Error('a download became shorter while it was read');
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
        if (other.length > 0) [buffer, other] = [other, buffer];
      }
      if (other.length > 0) returnBuffer(buffer); // the last may still be on its way, this one is not
    } finally {
      await file?.close();
    }
  }

  /** Up to where it may be read; waits until that is worth a read. */
  async #readable(at: number, end: number): Promise<number> {
    for (;;) {
      if (this.#state === 'whole') return end;
      if (this.#state !== 'coming') throw this.#state.error;
      const until = Math.min(end, this.#written, this.size - PIECE_BYTES);
      if (until >= at + PIECE_BYTES || (until === end && until > at)) return until;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async #open(): Promise<FileHandle> {
    const part = this.#state === 'whole' ? undefined : this.#part;
    try {
      return await open(part ?? this.path);
    } catch (error) {
      // It has got its name since.
      if (part === undefined || codeOf(error) !== 'ENOENT') throw error;
      return open(this.path);
    }
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
