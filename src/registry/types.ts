import type { Digest, Reference } from '../contract/brand.js';
import type { Repository } from './reference.js';

/** Points at content (OCI image-spec, descriptor.md). Only what we act on is typed; bytes are never made from it. */
export interface Descriptor {
  mediaType: string;
  digest: Digest;
  size: number;
}

/** `length` bytes of a blob from the byte `from` (0 is the first) on. */
export interface BlobPart {
  from: number;
  length: number;
}

/**
 * Bytes on their way, in pieces as they come. A piece is the reader's until it asks for the one after the next, or
 * destroys the stream: then its buffer may get other bytes.
 */
export interface ByteStream extends AsyncIterable<Buffer> {
  /** It comes as fast as it is sent, however slowly it is read: what nobody has read yet fills the memory. */
  readonly unbounded?: boolean;
  /** Gives up what has not come yet, and what has: for when nobody looks at a piece any more. */
  destroy(): void;
}

/** A manifest or index exactly as the registry holds it. */
export interface RawManifest {
  descriptor: Descriptor;
  bytes: Buffer;
}

export interface UploadResult {
  /** `present`: it was there already; `mounted`: taken over from another repository; `uploaded`: bytes were sent. */
  how: 'present' | 'mounted' | 'uploaded';
}

/**
 * One side of a mirror, as the OCI distribution spec 1.1 has it. Every method has its own time limits, honours
 * `signal` (and then throws the signal's reason), never follows a redirect with credentials to another origin, and
 * throws `FactoryError` only.
 */
export interface Registry {
  /** What the tag or digest holds; undefined on 404. Costs one HEAD (one GET where the host gives no digest). */
  head(reference: Reference, signal?: AbortSignal): Promise<Descriptor | undefined>;
  /** At most 4 MiB (distribution's own limit), digest checked; undefined on 404. */
  manifest(reference: Reference, signal?: AbortSignal): Promise<RawManifest | undefined>;
  /**
   * Puts bytes under a tag or digest, and checks the digest that the registry answers with. A refusal because of a
   * missing blob (`isBlobUnknown`): call {@link forget}, ensure the blobs again, put again. `TagImmutable` when the tag
   * holds something else and may not be put again.
   */
  putManifest(reference: Reference, manifest: RawManifest, signal?: AbortSignal): Promise<void>;
  /** The size of a blob there, undefined on 404. */
  headBlob(repository: Repository, digest: Digest, signal?: AbortSignal): Promise<number | undefined>;
  /**
   * A stream of the blob's bytes from `from` (default 0) to its end, exactly as many as `descriptor.size` says, else it
   * fails with `TransferCorrupt`; the reader checks the digest. Where the registry can't start at `from`, what comes
   * before it is read and left out. It fails with FactoryErrors only, or with the signal's reason.
   * @throws FactoryError `ImageNotFound`
   */
  blob(
    repository: Repository,
    descriptor: Descriptor,
    signal?: AbortSignal,
    from?: number,
  ): Promise<ByteStream>;
  /**
   * Ensures one blob: mounted from `mountFrom` (same host), else present, else uploaded, going on with an upload that
   * broke off before. `open` gives the bytes of the part (of all without one) anew, and its own errors come out as they
   * are; a buffer is not looked at any more when the one after the next is asked for. Each (repository, digest) is looked
   * at once in a client's life: a second call, also one at the same time, answers `present`. `onBytes` gets the sum that
   * is there or sent; it goes back when an upload does.
   */
  ensureBlob(
    repository: Repository,
    descriptor: Descriptor,
    open: (part?: BlobPart) => AsyncIterable<Buffer>,
    options: { mountFrom?: Repository; signal?: AbortSignal; onBytes?: (sent: number) => void },
  ): Promise<UploadResult>;
  /** Forgets which blobs were seen in a repository, so that {@link ensureBlob} asks the registry again. */
  forget(repository: Repository): void;
  /**
   * Whether the host says beforehand that this tag, once there, can't be put again. Most hosts only say so when it is
   * tried, by a `TagImmutable` of {@link putManifest}.
   */
  keepsTag(reference: Reference, signal?: AbortSignal): Promise<boolean>;
  /** Opens a real upload session and abandons it: proves push permission without a trace. */
  probePush(repository: Repository, signal?: AbortSignal): Promise<void>;
  /** Closes the connections. */
  close(): Promise<void>;
}
