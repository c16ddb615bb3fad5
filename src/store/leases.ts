import { mkdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../contract/brand.js';
import { codeOf, diskFull, sweepAbandoned, writerName } from './writers.js';

/**
 * Which blobs somebody is using. Each lease is a file, so that every process that shares the store sees it; a dead
 * process's lease goes with its next reader.
 */
export class Leases {
  constructor(private readonly directory: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** Synchronous, because there must be no gap between the decision to use a blob and its lease. */
  take(digests: Iterable<Digest>): () => void {
    const path = join(this.directory, writerName());
    try {
      writeFileSync(path, [...digests].join('\n'), { flag: 'wx', mode: 0o600 });
    } catch (error) {
      throw diskFull(error, this.directory, 'CONTENT_DIR') ?? error;
    }
    return () => {
      try {
        unlinkSync(path);
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error; // swept by a process that took us for dead
      }
    };
  }

  /** Every digest that a live process has leased. */
  async current(): Promise<Set<string>> {
    const leased = new Set<string>();
    for (const name of await sweepAbandoned(this.directory)) {
      const text = await readFile(join(this.directory, name), 'utf8').catch((error: unknown) => {
        if (codeOf(error) === 'ENOENT') return ''; // released just now
        throw error;
      });
      for (const digest of text.split('\n')) leased.add(digest);
    }
    return leased;
  }
}
