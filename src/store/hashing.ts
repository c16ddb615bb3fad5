import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { lendBuffer, PIECE_BYTES, returnBuffer } from '../common/buffers.js';
import type { Digest } from '../contract/brand.js';
import { parseDigest } from '../registry/digest.js';

/**
 * The SHA-256 of a blob while it passes. It is taken where the bytes are, when they are: a thread for it read each byte
 * from the file again, and on two cores gained nothing that could be measured.
 */
export class BlobHash {
  readonly #hash: Hash = createHash('sha256');

  update(bytes: Buffer): void {
    this.#hash.update(bytes);
  }

  /**
   * Takes in a file's first bytes, up to `until`.
   * @throws the file system's error; Error when there are fewer; the signal's reason if it fired
   */
  async read(file: FileHandle, until: number, signal?: AbortSignal): Promise<void> {
    const buffer = lendBuffer(Math.min(PIECE_BYTES, until));
    try {
      for (let at = 0; at < until; ) {
        signal?.throwIfAborted();
        const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, until - at), at);
        if (bytesRead === 0) throw new Error('a file became shorter while it was hashed');
        this.#hash.update(buffer.subarray(0, bytesRead));
        at += bytesRead;
      }
    } finally {
      returnBuffer(buffer);
    }
  }

  digest(): Digest {
    return parseDigest(`sha256:${this.#hash.digest('hex')}`);
  }
}

/** The digest of a file's first `size` bytes. @throws as {@link BlobHash.read} does */
export async function digestOfFile(path: string, size: number): Promise<Digest> {
  const hash = new BlobHash();
  const file = await open(path);
  try {
    await hash.read(file, size);
  } finally {
    await file.close();
  }
  return hash.digest();
}
