import { mkdir, readdir, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { untilAborted } from '../common/until-aborted.js';
import type { Digest } from '../contract/brand.js';
import type { DatabasePin } from '../contract/verdict.js';
import { hexOf } from '../registry/digest.js';
import { codeOf, isAbandoned, sweepAbandoned, writerName } from '../store/writers.js';
import type { DatabaseKind } from './database-repositories.js';

export type PinnedPair = Pick<DatabasePin, 'digest' | 'javaDigest'>;

/** Downloads the database with this digest into a cache directory as Trivy wants it. */
export type FetchDatabase = (kind: DatabaseKind, digest: Digest, cacheDir: string) => Promise<void>;

/** A run may outlast a night's update, and another may have begun: that many of each kind stay. */
const KEPT = 3;
const PREFIX: Record<DatabaseKind, string> = { db: 'db-', 'java-db': 'java-' };
const LOCAL = 'local';
const PAIR = /^(local|[0-9a-f]{16})-(local|[0-9a-f]{16})$/;

const shortOf = (digest: Digest | null): string => (digest === null ? LOCAL : hexOf(digest).slice(0, 16));

/**
 * Databases below a cache directory, each in a directory of its own, since they change on their own: the Java one is
 * 700 MB, and the other one is a new one every few hours. What Trivy gets as its cache directory is a pair of symbolic
 * links to them (which 0.76.0 follows):
 *
 * ```
 * pinned/db-<16 hex>/db/…                  pinned/<16 hex>-<16 hex>/db → ../db-<16 hex>/db
 * pinned/java-<16 hex>/java-db/…                                 …/java-db → ../java-<16 hex>/java-db
 * pinned/in-use/<writer>.<pair>            who works with a pair now; `local` for a database that is not pinned
 * ```
 *
 * Other processes may share it: what is complete appears by a rename, what goes disappears by one.
 */
export class PinnedDatabases {
  readonly #cacheDir: string;
  readonly #pinned: string;
  readonly #underWay = new Map<string, { done: Promise<void>; signal: AbortSignal }>();

  /** @param cacheDir absolute; its own `db` and `java-db` are those that are not pinned. */
  constructor(cacheDir: string) {
    this.#cacheDir = cacheDir;
    this.#pinned = join(cacheDir, 'pinned');
  }

  /** Where a database lies, alone. */
  pathOf(kind: DatabaseKind, digest: Digest | null): string {
    return digest === null
      ? join(this.#cacheDir, kind)
      : join(this.#pinned, `${PREFIX[kind]}${shortOf(digest)}`);
  }

  /** Works with both databases, fetched where they are missing; nobody removes them meanwhile. */
  async use<T>(
    pair: PinnedPair,
    signal: AbortSignal,
    fetch: FetchDatabase,
    work: (cacheDir: string) => Promise<T>,
  ): Promise<T> {
    if (pair.digest === null && pair.javaDigest === null) return work(this.#cacheDir);
    const name = `${shortOf(pair.digest)}-${shortOf(pair.javaDigest)}`;
    const inUse = join(this.#pinned, 'in-use');
    const mark = join(inUse, `${writerName()}.${name}`);
    await mkdir(inUse, { recursive: true });
    await writeFile(mark, '');
    try {
      await this.#database('db', pair.digest, signal, fetch);
      await this.#database('java-db', pair.javaDigest, signal, fetch);
      return await work(await this.#link(name, pair));
    } finally {
      await rm(mark, { force: true });
    }
  }

  async #database(
    kind: DatabaseKind,
    digest: Digest | null,
    signal: AbortSignal,
    fetch: FetchDatabase,
  ): Promise<void> {
    if (digest === null) return;
    const path = this.pathOf(kind, digest);
    for (;;) {
      const other = this.#underWay.get(path);
      if (other === undefined) break;
      try {
        await untilAborted(other.done, signal);
      } catch (error) {
        // Cancelling the one who downloads must not fail those who only wait: the next of them takes over.
        if (!other.signal.aborted || signal.aborted) throw error;
      }
    }
    // Nothing is awaited between the look above and this: of many who wait, one goes on.
    const done = this.#complete(path, (directory) => fetch(kind, digest, directory));
    this.#underWay.set(path, { done, signal });
    await done.finally(() => this.#underWay.delete(path));
    const now = new Date();
    await utimes(path, now, now).catch(() => undefined); // only a hint for what to keep
  }

  async #link(name: string, { digest, javaDigest }: PinnedPair): Promise<string> {
    const path = join(this.#pinned, name);
    await this.#complete(path, async (directory) => {
      // Relative, so that the cache may be mounted elsewhere.
      const link = (kind: DatabaseKind, one: Digest | null): Promise<void> =>
        symlink(
          join('..', one === null ? '..' : `${PREFIX[kind]}${shortOf(one)}`, kind),
          join(directory, kind),
        );
      await link('db', digest);
      await link('java-db', javaDigest);
    });
    return path;
  }

  /** Fills a directory that is renamed when complete, so other processes see all of it or nothing. */
  async #complete(path: string, fill: (directory: string) => Promise<void>): Promise<void> {
    if (await exists(path)) return;
    const temporary = join(this.#pinned, `.${writerName()}`);
    await mkdir(temporary);
    try {
      await fill(temporary);
      await rename(temporary, path).catch((error: unknown) => {
        // Another process was faster; what it has is the same.
        if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'EEXIST') throw error;
      });
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
    await this.#sweep();
  }

  /** Removes what dead processes left, and all but the databases used last and those in use. */
  async #sweep(): Promise<void> {
    const marks = await sweepAbandoned(join(this.#pinned, 'in-use'));
    const pairsInUse = new Set(marks.map((mark) => mark.slice(mark.lastIndexOf('.') + 1)));
    const found: { name: string; usedMs: number }[] = [];
    for (const name of await readdir(this.#pinned)) {
      const path = join(this.#pinned, name);
      const stats = await stat(path).catch(() => undefined);
      if (stats === undefined) continue;
      if (!name.startsWith('.')) found.push({ name, usedMs: stats.mtimeMs });
      else if (isAbandoned(name.slice(1), stats.mtimeMs)) await rm(path, { recursive: true, force: true });
    }
    found.sort((a, b) => b.usedMs - a.usedMs);
    const names = found.map(({ name }) => name);
    const needed = new Set([...pairsInUse].flatMap(databasesOf));
    const kept = Object.values(PREFIX).flatMap((prefix) =>
      names.filter((name) => name.startsWith(prefix)).filter((name, at) => at < KEPT || needed.has(name)),
    );
    const isDatabase = (name: string): boolean => Object.values(PREFIX).some((one) => name.startsWith(one));
    for (const name of names) {
      const unused = isDatabase(name)
        ? !kept.includes(name)
        : PAIR.test(name) &&
          !pairsInUse.has(name) &&
          databasesOf(name).some((database) => !kept.includes(database));
      if (unused) await this.#remove(name);
    }
  }

  async #remove(name: string): Promise<void> {
    const aside = join(this.#pinned, `.${writerName()}`);
    try {
      await rename(join(this.#pinned, name), aside);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return; // another process removes it
      throw error;
    }
    await rm(aside, { recursive: true, force: true });
  }
}

/** The directories of the databases that a pair links to. */
function databasesOf(pair: string): string[] {
  const [, db = LOCAL, java = LOCAL] = PAIR.exec(pair) ?? [];
  return [
    ...(db === LOCAL ? [] : [`${PREFIX.db}${db}`]),
    ...(java === LOCAL ? [] : [`${PREFIX['java-db']}${java}`]),
  ];
}

const exists = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined)) !== undefined;
