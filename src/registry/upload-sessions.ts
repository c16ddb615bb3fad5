import type { Digest } from '../contract/brand.js';
import type { Repository } from './reference.js';

/** Where an upload is going on, to be found again by another attempt. */
export interface KeptSession {
  /** The whole Location, a signed state included: never to be logged. */
  location: string;
  /** The least that the registry wants in a chunk (`OCI-Chunk-Min-Length`), 0 where it does not say. */
  minChunk: number;
}

/** One blob's way into one repository, held by one attempt at a time. */
export interface UploadSlot {
  /** What an attempt before left. */
  readonly left: KeptSession | undefined;
  /** Notes where the session is now. A process that is killed leaves what was noted last. */
  keep(session: KeptSession): Promise<void>;
  /** Ends this attempt; `leave` whether another may go on from what was kept. */
  close(leave: boolean): Promise<void>;
}

/** Keeps where uploads were. It may lose any of it: an upload then starts over. */
export interface UploadSessions {
  claim(repository: Repository, digest: Digest): Promise<UploadSlot>;
}

/** For as long as a process lives. */
export class MemoryUploadSessions implements UploadSessions {
  readonly #left = new Map<string, KeptSession>();

  async claim(repository: Repository, digest: Digest): Promise<UploadSlot> {
    const key = `${repository.host}/${repository.path}@${digest}`;
    const left = this.#left.get(key);
    this.#left.delete(key);
    let kept = left;
    return {
      left,
      keep: async (session) => {
        kept = session;
      },
      close: async (leave) => {
        if (leave && kept !== undefined) this.#left.set(key, kept);
      },
    };
  }
}
