import type { Readable } from 'node:stream';
import type { Digest } from '../contract/brand.js';
import type { BlobPart, ByteStream, Descriptor } from '../registry/types.js';

/** A blob that is there, or on its way. */
export interface Arriving {
  /** Settles as {@link ContentStore.ensure} does; need not be waited for. */
  done: Promise<void>;
  /**
   * Its bytes or those of a part, waiting for what has not come yet; fails as {@link done} does. It comes to the blob's
   * end only when all of it was found to have its digest. A buffer may be used again once the one after the next was
   * asked for.
   */
  open(part?: BlobPart): AsyncIterable<Buffer>;
}

/** A file beside the blobs, which has its part of the store's room. */
export interface Scratch {
  /** Nothing is there yet. */
  path: string;
  /** Makes room for so many bytes in all, before they are written. @throws FactoryError `DiskFull` */
  grow(bytes: number): Promise<void>;
  /** To be called in any case. */
  remove(): Promise<void>;
}

/**
 * Content by digest on the worker's disk, as an OCI image layout (image-spec, image-layout.md), shared by all steps and
 * by several workers of one host. What it holds is complete and matches its digest: writes go to a temporary file,
 * are checked, then renamed.
 */
export interface ContentStore {
  /** The layout's directory. */
  readonly directory: string;
  has(digest: Digest): Promise<boolean>;
  /** Whether a blob is there, as its size says, or on its way. */
  expects(descriptor: Descriptor): boolean;
  /** Where the blob lies; only for content that is there. */
  pathOf(digest: Digest): string;
  /** A small blob (manifest, config), at most `maxBytes`; undefined when it is not there. */
  read(digest: Digest, maxBytes: number): Promise<Buffer | undefined>;
  /** Stores small bytes under their digest. */
  write(bytes: Buffer): Promise<Digest>;
  /**
   * Stores a stream whose digest nobody knows yet, to its end.
   * @throws FactoryError `DiskFull`; what the stream fails with; the signal's reason if it fired
   */
  store(stream: Readable, signal: AbortSignal): Promise<{ digest: Digest; size: number }>;
  /** A file of the caller's own while it works on content. One that a dead process left is removed. */
  scratch(): Scratch;
  /** A fresh stream of a blob that is there, or of a part of it. Its bytes are not checked, see {@link check}. */
  open(digest: Digest, part?: BlobPart): Readable;
  /**
   * Makes sure that a blob is there, calling `download` only when it is not. A download of the same digest under way in
   * this process is joined. What an earlier one has left when it broke off, also in a process that was killed, is kept
   * and hashed again: `download` gives the bytes from `from` on, and its stream fails when its signal fires. Size and
   * digest are checked while it is written; bytes of another digest are thrown away. `onBytes` gets the sum, with what
   * was there.
   * @throws FactoryError `TransferCorrupt`, `DiskFull`, and what `download` throws
   */
  ensure(
    descriptor: Descriptor,
    download: (signal: AbortSignal, from: number) => Promise<ByteStream>,
    options: { signal: AbortSignal; onBytes?: (received: number) => void },
  ): Promise<void>;
  /** Like {@link ensure}, for those who can use a blob's first bytes before its last have come. */
  arrive(
    descriptor: Descriptor,
    download: (signal: AbortSignal, from: number) => Promise<ByteStream>,
    options: { signal: AbortSignal; onBytes?: (received: number) => void },
  ): Arriving;
  /** Reads a blob through. One that is damaged is dropped, so that it is fetched again. @returns whether it is whole */
  check(digest: Digest): Promise<boolean>;
  /** Keeps these digests from being evicted until the returned function is called. */
  lease(digests: Iterable<Digest>): () => void;
}
