import { mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Digest } from '../../src/contract/brand.js';
import { digestOf } from '../../src/registry/digest.js';
import { type FetchDatabase, PinnedDatabases, type PinnedPair } from '../../src/scanners/pinned-databases.js';
import { temporaryDirectory } from '../support/directory.js';

const short = (digest: Digest): string => digest.slice(7, 23);
const pairOf = (db: string, java: string): PinnedPair => ({
  digest: digestOf(db),
  javaDigest: digestOf(java),
});

describe('pinned databases', () => {
  let cacheDir: string;
  let fetched: string[];
  const { signal } = new AbortController();
  /** Stands in for a download: a file with the digest in it. */
  const fetch: FetchDatabase = async (kind, digest, directory) => {
    fetched.push(`${kind} ${short(digest)}`);
    await mkdir(join(directory, kind));
    await writeFile(join(directory, kind, 'content'), digest);
  };
  const use = <T>(databases: PinnedDatabases, pair: PinnedPair, work: (directory: string) => Promise<T>) =>
    databases.use(pair, signal, fetch, work);
  const names = async (prefix: string): Promise<string[]> =>
    (await readdir(join(cacheDir, 'pinned'))).filter((name) => name.startsWith(prefix)).sort();
  /** As if it had been used so long ago: what was used last is told by time stamps. */
  const age = async (databases: PinnedDatabases, digest: Digest, minutes: number): Promise<void> => {
    const then = new Date(Date.now() - minutes * 60_000);
    await utimes(databases.pathOf('db', digest), then, then);
  };
  const content = (directory: string, kind: string): Promise<string> =>
    readFile(join(directory, kind, 'content'), 'utf8');

  beforeEach(async () => {
    cacheDir = await temporaryDirectory();
    fetched = [];
  });

  it('are fetched once each, whatever they are paired with', async () => {
    const databases = new PinnedDatabases(cacheDir);
    for (const [db, java] of [
      ['monday', 'java'],
      ['tuesday', 'java'],
      ['tuesday', 'new java'],
    ] as const) {
      const pair = pairOf(db, java);
      const seen = await use(databases, pair, (directory) =>
        Promise.all([content(directory, 'db'), content(directory, 'java-db')]),
      );
      expect(seen).toEqual([pair.digest, pair.javaDigest]);
    }
    expect(fetched).toEqual(
      ['db monday', 'java-db java', 'db tuesday', 'java-db new java'].map((one) => {
        const [kind = '', ...name] = one.split(' ');
        return `${kind} ${short(digestOf(name.join(' ')))}`;
      }),
    );
  });

  it('may be half of a pair, the other half being the worker’s own', async () => {
    await mkdir(join(cacheDir, 'db'));
    await writeFile(join(cacheDir, 'db', 'content'), 'own');
    const databases = new PinnedDatabases(cacheDir);
    const pair = { digest: null, javaDigest: digestOf('java') };
    expect(await use(databases, pair, (directory) => content(directory, 'db'))).toBe('own');
    const none = { digest: null, javaDigest: null };
    expect(await use(databases, none, async (directory) => directory)).toBe(cacheDir);
  });

  it('are kept for the last three of each kind, and their pairs with them', async () => {
    const databases = new PinnedDatabases(cacheDir);
    const days = ['1', '2', '3', '4', '5'].map((day) => digestOf(day));
    for (const [index, digest] of days.entries()) {
      await use(databases, { digest, javaDigest: digestOf('java') }, async () => undefined);
      await age(databases, digest, 60 - index);
    }
    expect(await names('db-')).toEqual(
      days
        .slice(2)
        .map((digest) => `db-${short(digest)}`)
        .sort(),
    );
    expect(await names('java-')).toEqual([`java-${short(digestOf('java'))}`]);
    // The databases, one Java one, a pair for each, and who uses them.
    expect(await names('')).toHaveLength(3 + 1 + 3 + 1);
    expect(await names('.')).toEqual([]);
  });

  it('stay as long as another worker has them in use, however old they are', async () => {
    const other = new PinnedDatabases(cacheDir);
    const databases = new PinnedDatabases(cacheDir);
    const old = pairOf('old', 'old java');
    await use(other, old, async (directory) => {
      await age(other, digestOf('old'), 600);
      for (const day of ['1', '2', '3', '4'])
        await use(databases, pairOf(day, `java ${day}`), async () => undefined);
      expect(await names('db-')).toContain(`db-${short(digestOf('old'))}`);
      expect(await content(directory, 'java-db')).toBe(old.javaDigest);
    });
    await age(other, digestOf('old'), 600);
    await use(databases, pairOf('5', 'java 5'), async () => undefined);
    expect(await names('db-')).not.toContain(`db-${short(digestOf('old'))}`);
    expect(await readdir(join(cacheDir, 'pinned', 'in-use'))).toEqual([]);
  });

  it('that a dead process had in use, or fetched half of, do not stay', async () => {
    const databases = new PinnedDatabases(cacheDir);
    await use(databases, pairOf('old', 'java'), async () => undefined);
    const [name = ''] = await names(short(digestOf('old')));
    const gone = new Date(Date.now() - 3 * 3_600_000);
    for (const path of [`in-use/elsewhere.1.x.${name}`, '.elsewhere.1.x']) {
      await writeFile(join(cacheDir, 'pinned', path), '');
      await utimes(join(cacheDir, 'pinned', path), gone, gone);
    }
    await age(databases, digestOf('old'), 600);
    for (const day of ['1', '2', '3']) await use(databases, pairOf(day, 'java'), async () => undefined);
    expect(await names(short(digestOf('old')))).toEqual([]);
    expect(await names('.')).toEqual([]);
  });

  it('that could not be fetched leave nothing, and are fetched by the next', async () => {
    const databases = new PinnedDatabases(cacheDir);
    const broken: FetchDatabase = async (_, __, directory) => {
      await writeFile(join(directory, 'half'), '');
      throw new Error('cut off');
    };
    const pair = pairOf('a', 'b');
    await expect(databases.use(pair, signal, broken, async () => undefined)).rejects.toThrow('cut off');
    expect(await names('')).toEqual(['in-use']);
    expect(await use(databases, pair, (directory) => content(directory, 'db'))).toBe(pair.digest);
    await rm(databases.pathOf('db', digestOf('a')), { recursive: true });
    expect(await use(databases, pair, (directory) => content(directory, 'db'))).toBe(pair.digest);
  });
});
