import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import type { Digest } from '../contract/brand.js';
import { parseDigest } from '../registry/digest.js';

/** What the thread is told of one file. */
export interface HashRequest {
  id: number;
  /** Opens this file. */
  open?: string;
  /** Bytes up to here are there. */
  until?: number;
  /** Ends it, with or without an answer. */
  end?: 'digest' | 'drop';
}

const answerSchema = z.object({
  id: z.number(),
  hex: z.string().optional(),
  failure: z.object({ message: z.string(), code: z.string().optional() }).optional(),
});

/** The SHA-256 of a file while it is written. */
export interface FileHash {
  /** So many of its bytes are in the file. */
  wrote(length: number): void;
  /** Ends it, of all that was written. @throws the file system's error */
  digest(): Promise<Digest>;
  /** Ends it where nobody wants to know; after {@link digest} it does nothing. */
  drop(): void;
}

interface Waiting {
  resolve(digest: Digest): void;
  reject(error: unknown): void;
}

/**
 * A thread with the hashes that it was given: when it ends, nobody else's do. That it fails and that it is gone are two
 * events, and by the second one the next thread may have hashes of its own.
 */
class HashThread {
  readonly #worker = new Worker(new URL('./hash-thread.mjs', import.meta.url), {
    execArgv: [],
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4 },
  });
  readonly #waiting = new Map<number, Waiting>();
  #ids = 0;

  /** @param ended called when it takes no more */
  constructor(ended: (thread: HashThread) => void) {
    this.#worker.on('message', (message: unknown) => {
      const { id, hex, failure } = answerSchema.parse(message);
      const waiting = this.#settle(id);
      if (hex !== undefined) waiting?.resolve(parseDigest(`sha256:${hex}`));
      else waiting?.reject(Object.assign(new Error(failure?.message), { code: failure?.code }));
    });
    const end = (error: unknown): void => {
      ended(this);
      for (const id of [...this.#waiting.keys()]) this.#settle(id)?.reject(error);
    };
    this.#worker.on('error', end);
    this.#worker.on('exit', () => end(new Error('the thread that hashes files ended')));
  }

  start(path: string): FileHash {
    const id = this.#ids++;
    const answer = new Promise<Digest>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    answer.catch(() => {}); // whoever asks for the digest is told
    const tell = (request: Omit<HashRequest, 'id'>): void => {
      if (this.#waiting.has(id)) this.#worker.postMessage({ id, ...request } satisfies HashRequest);
    };
    this.#worker.ref();
    tell({ open: path });
    return {
      wrote: (until) => tell({ until }),
      digest: () => {
        tell({ end: 'digest' });
        return answer;
      },
      drop: () => {
        tell({ end: 'drop' });
        this.#settle(id);
      },
    };
  }

  /** A thread that has nothing to do keeps no process alive. */
  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker.unref();
    return waiting;
  }
}

/**
 * Files are hashed in a thread of its own, one for the process: in the main one it was a fifth of a transfer's time, and
 * heartbeats and all other images waited for it (measured).
 */
let running: HashThread | undefined;

/** Begins to hash a file that exists, from its first byte. */
export function hashFile(path: string): FileHash {
  running ??= new HashThread((ended) => {
    if (running === ended) running = undefined;
  });
  return running.start(path);
}
