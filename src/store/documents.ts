import type { Digest } from '../contract/brand.js';

/** A fleet of 40 images has some 400 manifests and configs, of 1 to 20 KB each. */
const MAX_BYTES = 16 << 20;
const MAX_DOCUMENT_BYTES = 128 << 10;

/** A file as `stat` tells it: the one that was read and found right, and not written to since. */
export interface Seen {
  ino: number;
  size: number;
  mtimeMs: number;
}

interface Document {
  bytes: Buffer;
  file: Seen;
}

/**
 * Small blobs (manifests, configs) that were read and checked, by digest. Each step of an image asks for them again, and
 * one look at the file, whether it is still the same, costs a sixth of opening, reading and hashing it (measured).
 */
export class Documents {
  readonly #documents = new Map<Digest, Document>();
  #bytes = 0;

  /** Its bytes, not to be changed, where the file is as it was. */
  get(digest: Digest, { ino, size, mtimeMs }: Seen): Buffer | undefined {
    const document = this.#documents.get(digest);
    if (document === undefined) return undefined;
    const { file, bytes } = document;
    // A time that was set comes back a little less than it was.
    const sameTime = Math.round(file.mtimeMs) === Math.round(mtimeMs);
    return sameTime && file.ino === ino && file.size === size ? bytes : undefined;
  }

  /** Keeps it as the last to make way. */
  keep(digest: Digest, file: Seen, bytes: Buffer): void {
    this.#drop(digest);
    if (bytes.length > MAX_DOCUMENT_BYTES) return;
    this.#documents.set(digest, { bytes, file });
    this.#bytes += bytes.length;
    // A map keeps the order of insertion: the first was not asked for longest.
    for (const oldest of this.#documents.keys()) {
      if (this.#bytes <= MAX_BYTES) return;
      this.#drop(oldest);
    }
  }

  #drop(digest: Digest): void {
    const document = this.#documents.get(digest);
    if (document === undefined) return;
    this.#documents.delete(digest);
    this.#bytes -= document.bytes.length;
  }
}
