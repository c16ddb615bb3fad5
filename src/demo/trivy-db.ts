import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type Bucket, bboltFile } from './fleet/bbolt.js';
import { gzipStored, tar } from './fleet/tar.js';
import { FACTS } from './fleet/vulnerability-facts.js';

type Facts<T> = Record<string, T>;

/** What a small trivy-db (schema 2) holds: each record is written as JSON under its bucket and key. */
export interface VulnerabilityFacts {
  /** Bucket → where its advisories come from. */
  sources: Facts<object>;
  /** Bucket (`debian 12`, `npm::…`) → package → vulnerability id → advisory. */
  advisories: Facts<Facts<Facts<object>>>;
  /** Vulnerability id → title, severity, references. */
  vulnerabilities: Facts<object>;
}

/** One database as Trivy publishes it: the files of its directory. */
export interface DatabaseFiles {
  /** Directory below the cache directory. */
  directory: 'db' | 'java-db';
  files: { name: string; bytes: Buffer }[];
}

/** Media types of Trivy's database artifacts (trivy `pkg/db`, `pkg/javadb`). */
export const DATABASE_LAYER_TYPE = {
  db: 'application/vnd.aquasec.trivy.db.layer.v1.tar+gzip',
  'java-db': 'application/vnd.aquasec.trivy.javadb.layer.v1.tar+gzip',
} as const;

/** An empty database of trivy-java-db's schema 1 (SQLite); JARs that carry a pom.properties need no more. */
const EMPTY_JAVA_DB =
  'H4sIAAAAAAACA+1WzUrDQBDeTdq0CJ5zCNI5CBqsgoh3W7tIsbY2ptCeatpuTVDTksZqT6U+gU/g+/kMXtytSbMRQRAEoftBMjs/mZndYT9y1ax5IYXhKLh3QjhCCsIYnQAghDT25FECrmcEHaOfoaGDPs7yYPzO9fynkPgf0NRNLhR5EusKOf/1xoacv5y/nP9a87+K5gi/oDcmtgSXq7JX72/Lu2pO3ynghe75A/rkBKE3dPrhpOsNEiVzapGSTaBVrzZbBKr1CmlDKhQa9cSwG6+Ypwg3wehhzFbmYlvJ6YaBnwuh07ujrJ7Xp5NIqFEJu1SuEYiMYiJW1SZnxCrClAYTb+SDTdp2ESaucwjlWqNcZA30XW9Ku+FsTCMv+6um3o0Pt3QGYjYTAjqkAfVZFaFx5jB9nNML7ED2ll2ufKuFkupU/DZuES6t6kXJ6sA56ST7jzoSt8Qtprz/8v4ruILwK3tJ/ArtrKbvG/hxyWEReXQ5M3BuivTcdyT2NZbzWEw+3GZeZzT92MDzVGbhDse2bJQ9nVYMFFOLTPQByyPyoAAQAAA=';

const json = (value: object): Buffer => Buffer.from(JSON.stringify(value));

function bucket<T>(facts: Facts<T>, write: (value: T) => Buffer | Bucket): Bucket {
  return new Map(Object.entries(facts).map(([key, value]) => [key, write(value)]));
}

/** `DownloadedAt` must not be zero, or Trivy takes the database for broken. */
const metadata = (version: number, updatedAt: string): Buffer =>
  json({
    Version: version,
    UpdatedAt: updatedAt,
    NextUpdate: '2100-01-01T00:00:00Z',
    DownloadedAt: updatedAt,
  });

/**
 * A small real vulnerability database that says it was made at `updatedAt` (ISO 8601 UTC): the fleet's facts, or others.
 */
export function vulnerabilityDb(options: { updatedAt: string; facts?: VulnerabilityFacts }): DatabaseFiles {
  const facts = options.facts ?? FACTS;
  const top = bucket(facts.advisories, (packages) =>
    bucket(packages, (advisories) => bucket(advisories, json)),
  );
  top.set('data-source', bucket(facts.sources, json));
  top.set('vulnerability', bucket(facts.vulnerabilities, json));
  return {
    directory: 'db',
    files: [
      { name: 'trivy.db', bytes: bboltFile(top) },
      { name: 'metadata.json', bytes: metadata(2, options.updatedAt) },
    ],
  };
}

/** A Java database with no row in it. */
export function javaDb(options: { updatedAt: string }): DatabaseFiles {
  return {
    directory: 'java-db',
    files: [
      { name: 'trivy-java.db', bytes: gunzipSync(Buffer.from(EMPTY_JAVA_DB, 'base64')) },
      { name: 'metadata.json', bytes: metadata(1, options.updatedAt) },
    ],
  };
}

/** Writes databases where `trivy --cache-dir <cacheDir> --skip-db-update` finds them. */
export async function writeCacheDir(cacheDir: string, databases: readonly DatabaseFiles[]): Promise<void> {
  for (const { directory, files } of databases) {
    await mkdir(path.join(cacheDir, directory), { recursive: true });
    for (const { name, bytes } of files) await writeFile(path.join(cacheDir, directory, name), bytes);
  }
}

/** The one layer of a database's OCI artifact. */
export const databaseLayer = (database: DatabaseFiles): Buffer =>
  gzipStored(tar(database.files.map(({ name, bytes }) => ({ path: name, content: bytes }))));
