import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, isAbandoned, isOfThisHost, writerName } from './writers.js';

/** What nobody went on with for this long is not worth its room: an image has moved on by then. */
const KEEP_MS = 24 * 60 * 60 * 1000;
/**
 * What a process of another host has not written to for this long can be taken over. Whether that process lives can't be
 * asked, but every transfer writes at least once a minute or fails (`Timeouts.idle`).
 */
const IDLE_MS = 10 * 60 * 1000;

export interface Unclaimed {
  key: string;
  path: string;
  size: number;
  modifiedMs: number;
}

/**
 * Work that a process may leave half done and another may go on with, one file per key in a directory that processes
 * share. A file's name says whose it is: `<writer>.<key>` belongs to that writer, `<key>.<ending>` to nobody. Taking it
 * is a rename, so it has one owner at any time; a dead owner's can be taken.
 */
export class Claims {
  constructor(
    private readonly directory: string,
    private readonly ending: string,
  ) {}

  /** A path that is the caller's alone until {@link release}. A file is there if somebody left one. */
  async claim(key: string): Promise<string> {
    const own = join(this.directory, `${writerName()}.${key}`);
    const left = await this.unclaimed(key);
    let taken = false;
    for (const { path } of left.toSorted((a, b) => b.size - a.size)) {
      if (taken) await rm(path, { force: true });
      else taken = await moved(path, own);
    }
    return own;
  }

  /** Leaves a claimed file to whoever wants to go on with it. */
  async release(path: string, key: string): Promise<void> {
    await moved(path, join(this.directory, `${key}.${this.ending}`));
  }

  /** What nobody is busy with, of one key or of all. */
  async unclaimed(wanted?: string): Promise<Unclaimed[]> {
    const found: Unclaimed[] = [];
    for (const name of await readdir(this.directory)) {
      const key = this.keyOf(name);
      if (key === undefined || (wanted !== undefined && key !== wanted)) continue;
      const path = join(this.directory, name);
      const stats = await stat(path).catch(() => undefined); // taken just now
      if (stats === undefined) continue;
      const { size, mtimeMs: modifiedMs } = stats;
      if (this.isUnclaimed(name, modifiedMs)) found.push({ key, path, size, modifiedMs });
    }
    return found;
  }

  /** Removes what is too old, and what dead processes left in files that are nobody's to go on with. */
  async sweep(): Promise<void> {
    for (const name of await readdir(this.directory)) {
      const path = join(this.directory, name);
      const stats = await stat(path).catch(() => undefined); // its writer has just finished
      if (stats === undefined) continue;
      const useless =
        this.keyOf(name) === undefined
          ? isAbandoned(name, stats.mtimeMs)
          : this.isUnclaimed(name, stats.mtimeMs) &&
            (stats.size === 0 || Date.now() - stats.mtimeMs > KEEP_MS);
      if (useless) await rm(path, { force: true });
    }
  }

  private isUnclaimed(name: string, modifiedMs: number): boolean {
    if (name.endsWith(`.${this.ending}`) || isAbandoned(name, modifiedMs)) return true;
    return !isOfThisHost(name) && Date.now() - modifiedMs > IDLE_MS;
  }

  private keyOf(name: string): string | undefined {
    const ending = `.${this.ending}`;
    return name.endsWith(ending) ? name.slice(0, -ending.length) : name.split('.')[3];
  }
}

/** Whether the file was there to be renamed. */
async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}
