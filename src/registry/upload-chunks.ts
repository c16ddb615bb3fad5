import { FactoryError } from '../common/errors.js';
import { blobName } from './blobs.js';
import { RegistryError } from './errors.js';
import type { Exchange } from './exchange.js';
import {
  abandonSession,
  bytesThere,
  checkDigest,
  endOf,
  openSession,
  type Session,
  statusOf,
  uploadCall,
} from './session.js';
import { discard, resolveLocation } from './transport.js';
import { BodyFailed, sendBody, type Upload } from './upload-body.js';
import type { KeptSession, UploadSlot } from './upload-sessions.js';

/** A session, and how much of the blob it has. */
interface Position extends Session {
  offset: number;
}

/** How often an upload may ask where it is, and how often it may start over, before it is left to the next attempt. */
const MAX_ASKS = 3;
const MAX_RESTARTS = 1;
/** Answers that say nothing about chunks: no right, too many requests, something in between is down. */
const NOT_ABOUT_CHUNKS = new Set([401, 403, 429, 502, 503, 504]);

/** A host that does not take chunks as the protocol says. */
export class ChunksRefused extends Error {}

/**
 * Sends a blob in chunks (distribution-spec, "Pushing a blob in chunks"), going on with the session that the slot holds.
 * @throws ChunksRefused, and then nothing is left of the session; FactoryError as uploads do
 */
export async function uploadInChunks(
  exchange: Exchange,
  task: Upload,
  options: { slot: UploadSlot; chunkBytes: number; session: Session | undefined },
): Promise<void> {
  const upload = new ChunkedUpload(exchange, task, options.slot, options.chunkBytes);
  let leave = false;
  try {
    await upload.run(options.session);
  } catch (error) {
    leave = mayGoOn(error);
    throw error;
  } finally {
    await options.slot.close(leave);
  }
}

/** Whether what a registry has of the blob is still worth something after an error. */
function mayGoOn(error: unknown): boolean {
  if (error instanceof BodyFailed) return mayGoOn(error.error);
  if (error instanceof ChunksRefused) return false;
  return !(error instanceof FactoryError) || (error.retryable && error.type !== 'TransferCorrupt');
}

class ChunkedUpload {
  readonly #exchange: Exchange;
  readonly #task: Upload;
  readonly #slot: UploadSlot;
  readonly #chunkBytes: number;
  readonly #what: string;
  #asks = 0;
  #restarts = 0;

  constructor(exchange: Exchange, task: Upload, slot: UploadSlot, chunkBytes: number) {
    this.#exchange = exchange;
    this.#task = task;
    this.#slot = slot;
    this.#chunkBytes = chunkBytes;
    this.#what = blobName(task.repository, task.descriptor.digest);
  }

  async run(opened: Session | undefined): Promise<void> {
    const { size } = this.#task.descriptor;
    const left = this.#slot.left && (await this.#resume(this.#slot.left));
    if (left !== undefined && opened !== undefined) await this.#abandon(opened);
    let at = left ?? (await this.#start(opened));
    while (at.offset < size) {
      await this.#slot.keep({ location: at.url.href, minChunk: at.minChunk });
      at = await this.#chunk(at).catch((error: unknown) => this.#recover(at, error));
    }
    await this.#slot.keep({ location: at.url.href, minChunk: at.minChunk });
    await this.#commit(at);
  }

  async #resume({ location, minChunk }: KeptSession): Promise<Position | undefined> {
    const { repository, descriptor, signal, onBytes } = this.#task;
    const url = new URL(location);
    const there = await statusOf(this.#exchange, repository, url, this.#what, signal);
    if (there === undefined || there.offset > descriptor.size) return undefined;
    onBytes?.(there.offset);
    return { ...there, minChunk };
  }

  async #start(opened: Session | undefined): Promise<Position> {
    const { repository, signal } = this.#task;
    const session = opened ?? (await openSession(this.#exchange, repository, this.#what, signal));
    return { ...session, offset: 0 };
  }

  async #chunk(at: Position): Promise<Position> {
    const { size } = this.#task.descriptor;
    const length = Math.min(Math.max(this.#chunkBytes, at.minChunk), size - at.offset);
    const answer = await sendBody(this.#exchange, this.#task, {
      method: 'PATCH',
      url: at.url,
      part: { from: at.offset, length },
      // Not RFC 9110's form: the specification has no unit here.
      headers: { 'content-range': `${at.offset}-${at.offset + length - 1}` },
      expected: 202,
    });
    const location = answer.header('location');
    const url = location === undefined ? at.url : resolveLocation(location, answer.url);
    // What it says counts, not what we sent: it may take less.
    const offset = bytesThere(answer) ?? at.offset + length;
    if (offset <= at.offset || offset > at.offset + length) {
      await this.#abandon({ ...at, url });
      throw new ChunksRefused();
    }
    return { ...at, url, offset };
  }

  /** Where to go on after a chunk that was not taken. */
  async #recover(at: Position, error: unknown): Promise<Position> {
    if (!(error instanceof RegistryError)) throw error;
    const { status } = error;
    // Out of order (a broken chunk may still have been on its way), or the login ran out: the session knows.
    if ((status === 416 || status === 401) && this.#asks++ < MAX_ASKS) {
      const there = await this.#resume({ location: at.url.href, minChunk: at.minChunk });
      if (there !== undefined && (there.offset > 0 || status === 401)) return there;
    }
    if (at.offset === 0 && !NOT_ABOUT_CHUNKS.has(status)) {
      await this.#abandon(at);
      throw new ChunksRefused();
    }
    const lost = status === 404 || status === 416 || error.code?.startsWith('BLOB_UPLOAD_') === true;
    if (lost && this.#restarts++ < MAX_RESTARTS) return this.#start(undefined);
    throw error;
  }

  async #commit({ url }: Position): Promise<void> {
    const { repository, descriptor, signal } = this.#task;
    const call = {
      ...uploadCall('PUT', endOf(url, descriptor.digest), repository, this.#what, signal),
      headers: { 'content-type': 'application/octet-stream', 'content-length': '0' },
      body: '',
      streaming: true, // nothing streams, but the registry hashes and moves the blob before it answers
    };
    const answer = await this.#exchange.send(call);
    if (answer.status !== 201) throw await this.#exchange.failure(answer, call);
    discard(answer);
    checkDigest(answer, repository, descriptor.digest);
  }

  #abandon({ url }: Session): Promise<void> {
    return abandonSession(this.#exchange, this.#task.repository, url, this.#task.signal);
  }
}
