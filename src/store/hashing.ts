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
 * Hashes files in a thread of its own, one for the process: in the main one it was a fifth of a transfer's time, and
 * heartbeats and all other images waited for it (measured).
 */
class HashThread {
  #worker: Worker | undefined;
  #ids = 0;
  readonly #waiting = new Map<number, Waiting>();

  start(path: string): FileHash {
    const id = this.#ids++;
    const answer = new Promise<Digest>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    answer.catch(() => {}); // whoever asks for the digest is told
    const worker = this.#running();
    const tell = (request: Omit<HashRequest, 'id'>): void => {
      if (this.#waiting.has(id)) worker.postMessage({ id, ...request } satisfies HashRequest);
    };
    worker.ref();
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

  #running(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(new URL('./hash-thread.mjs', import.meta.url), {
      execArgv: [],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4 },
    });
    worker.on('message', (message: unknown) => {
      const { id, hex, failure } = answerSchema.parse(message);
      const waiting = this.#settle(id);
      if (hex !== undefined) waiting?.resolve(parseDigest(`sha256:${hex}`));
      else waiting?.reject(Object.assign(new Error(failure?.message), { code: failure?.code }));
    });
    const ended = (error: unknown): void => {
      if (this.#worker === worker) this.#worker = undefined;
      for (const id of [...this.#waiting.keys()]) this.#settle(id)?.reject(error);
    };
    worker.on('error', ended);
    worker.on('exit', () => ended(new Error('the thread that hashes files ended')));
    this.#worker = worker;
    return worker;
  }

  /** A thread that has nothing to do keeps no process alive. */
  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker?.unref();
    return waiting;
  }
}

const thread = new HashThread();

/** Begins to hash a file that exists, from its first byte. */
export const hashFile = (path: string): FileHash => thread.start(path);
