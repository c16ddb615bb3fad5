import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf, hexOf } from '../registry/digest.js';
import { codeOf, isAbandoned, writerName } from '../store/writers.js';

/** A layer's packages are 100 KB of JSON, those of a large one 8 MB (measured): hundreds of nights. */
const MAX_BYTES = 1 << 30;
/** No scan takes longer, and what it was told to be here must stay until it has read it. */
const IN_USE_MS = 60 * 60_000;

/** What one scan may ask; it ends with the scan. */
export interface AnalysisSession {
  /** A layer's analysis; undefined when this session is to make it. Waits while another session makes it. */
  get(key: string): Promise<Buffer | undefined>;
  put(key: string, analysis: Buffer): Promise<void>;
  /** Lets others make what this session was to make and did not. */
  end(): Promise<void>;
}

/**
 * What Trivy found in layers, so that one which images share is analysed once: below a directory that processes and
 * runs share, a file for each layer, which appears whole by a rename. Those not used for longest go.
 */
export class AnalysisCache {
  readonly #directory: string;
  /** Who is to make an analysis now, and when that is over. */
  readonly #claims = new Map<string, { by: AnalysisSession; over: Promise<void>; release: () => void }>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** @param scope what an analysis depends on besides the layer's bytes; another scope sees nothing of it. */
  async session(scope: string): Promise<AnalysisSession> {
    const directory = join(this.#directory, hexOf(digestOf(scope)).slice(0, 16));
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const mine = new Set<string>();
    let stored = false;
    let ended = false;
    const release = (path: string): void => {
      if (mine.delete(path)) this.#claims.get(path)?.release();
    };
    const pathOf = (key: string): string => join(directory, `${hexOf(digestOf(key))}.json`);
    const session: AnalysisSession = {
      get: async (key) => {
        const path = pathOf(key);
        // One that was cancelled while it waited must not claim what it can't make any more.
        while (!ended) {
          const claim = this.#claims.get(path);
          if (claim === undefined) {
            // Before the file is looked for, so that of two who find none only one makes it.
            this.#claim(path, session);
            mine.add(path);
            const found = await readUsed(path);
            if (found !== undefined) release(path);
            return found;
          }
          // Who waits owes nothing to anybody, so no two wait for each other. It is enough: what images share is where
          // they begin. A layer further up that two are the first to have, at the same moment, is analysed by both.
          if (claim.by === session || mine.size > 0) return readUsed(path);
          await claim.over;
        }
        return undefined;
      },
      put: async (key, analysis) => {
        const path = pathOf(key);
        const temporary = join(directory, writerName());
        await writeFile(temporary, analysis, { mode: 0o600 });
        await rename(temporary, path);
        stored = true;
        release(path);
      },
      end: async () => {
        ended = true;
        for (const path of mine) release(path);
        if (stored) await this.#sweep();
      },
    };
    return session;
  }

  #claim(path: string, by: AnalysisSession): void {
    let settle = (): void => {};
    const over = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const release = (): void => {
      this.#claims.delete(path);
      settle();
    };
    this.#claims.set(path, { by, over, release });
  }

  async #sweep(): Promise<void> {
    const found: { path: string; size: number; usedMs: number }[] = [];
    for (const entry of await readdir(this.#directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const stats = await stat(path).catch(() => undefined); // another process removes it
      if (stats === undefined) continue;
      if (!entry.name.endsWith('.json') && isAbandoned(entry.name, stats.mtimeMs))
        await rm(path, { force: true });
      else found.push({ path, size: stats.size, usedMs: stats.mtimeMs });
    }
    let excess = found.reduce((sum, { size }) => sum + size, 0) - MAX_BYTES;
    for (const { path, size, usedMs } of found.sort((a, b) => a.usedMs - b.usedMs)) {
      if (excess <= 0 || Date.now() - usedMs < IN_USE_MS) return;
      await rm(path, { force: true });
      excess -= size;
    }
  }
}

async function readUsed(path: string): Promise<Buffer | undefined> {
  try {
    const bytes = await readFile(path);
    const now = new Date();
    await utimes(path, now, now);
    return bytes;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
