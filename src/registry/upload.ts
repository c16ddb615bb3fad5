import { blobName } from './blobs.js';
import { RegistryError } from './errors.js';
import type { Exchange } from './exchange.js';
import { checkDigest, endOf, openSession, type Session } from './session.js';
import {
  CHUNK_BYTES,
  chunkBytesFor,
  SMALL_CHUNK_BYTES,
  type UploadManner,
  uploadMannerOf,
  WHOLE_BYTES,
} from './traits.js';
import { sendBody, type Upload } from './upload-body.js';
import { ChunksRefused, uploadInChunks } from './upload-chunks.js';
import type { UploadSessions } from './upload-sessions.js';

/** Sends blobs in the way that their host takes. */
export class Uploader {
  readonly #exchange: Exchange;
  readonly #sessions: UploadSessions;
  /** What hosts have taught us, which their names did not. */
  readonly #learned = new Map<string, { manner: UploadManner; chunkBytes: number }>();

  constructor(exchange: Exchange, sessions: UploadSessions) {
    this.#exchange = exchange;
    this.#sessions = sessions;
  }

  /**
   * @param session one that is open already.
   * @throws FactoryError; the stream's own error; the signal's reason if it fired
   */
  async send(task: Upload, session: Session | undefined): Promise<void> {
    const { host } = task.repository;
    const { size } = task.descriptor;
    const known = { manner: uploadMannerOf(host), chunkBytes: chunkBytesFor(size) };
    const { manner, chunkBytes } = this.#learned.get(host) ?? known;
    // A host that refused a large request keeps its small limit.
    const wholeUpTo = chunkBytes === CHUNK_BYTES ? WHOLE_BYTES : chunkBytes;
    if (manner === 'chunks' && size > Math.max(wholeUpTo, session?.minChunk ?? 0)) {
      try {
        return await this.#chunked(task, session, chunkBytes);
      } catch (error) {
        if (!(error instanceof ChunksRefused)) throw error;
        this.#learned.set(host, { manner: 'whole', chunkBytes });
        return this.#whole(task, undefined);
      }
    }
    try {
      await this.#whole(task, session);
    } catch (error) {
      const tooLarge = error instanceof RegistryError && error.status === 413;
      if (!tooLarge || this.#learned.has(host) || size <= SMALL_CHUNK_BYTES) throw error;
      this.#learned.set(host, { manner: 'chunks', chunkBytes: SMALL_CHUNK_BYTES });
      await this.#chunked(task, undefined, SMALL_CHUNK_BYTES).catch((refusal: unknown) => {
        throw refusal instanceof ChunksRefused ? error : refusal;
      });
    }
  }

  async #chunked(task: Upload, session: Session | undefined, chunkBytes: number): Promise<void> {
    const slot = await this.#sessions.claim(task.repository, task.descriptor.digest);
    await uploadInChunks(this.#exchange, task, { slot, chunkBytes, session });
  }

  /**
   * Sends a blob in one PUT with its length. When the login or the session ran out on the way, it starts again once, with
   * a new session and a fresh stream: a stream that was read can't be sent again.
   */
  async #whole(task: Upload, session: Session | undefined): Promise<void> {
    const { repository, descriptor, signal } = task;
    const what = blobName(repository, descriptor.digest);
    const open = (): Promise<Session> => openSession(this.#exchange, repository, what, signal);
    const first = session ?? (await open());
    try {
      await this.#put(task, first);
    } catch (error) {
      const again =
        error instanceof RegistryError &&
        (error.status === 401 ||
          error.code === 'BLOB_UPLOAD_UNKNOWN' ||
          error.code === 'BLOB_UPLOAD_INVALID');
      if (!again) throw error;
      await this.#put(task, await open());
    }
  }

  async #put(task: Upload, { url }: Session): Promise<void> {
    const { digest, size } = task.descriptor;
    const answer = await sendBody(this.#exchange, task, {
      method: 'PUT',
      url: endOf(url, digest),
      part: { from: 0, length: size },
      expected: 201,
    });
    checkDigest(answer, task.repository, digest);
  }
}
