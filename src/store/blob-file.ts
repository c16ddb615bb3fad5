import {
  closeSync,
  fstatSync,
  futimesSync,
  openSync,
  readFileSync,
  rmSync,
  type Stats,
  statSync,
  utimesSync,
} from 'node:fs';
import { uptime } from 'node:os';
import { FactoryError } from '../common/errors.js';
import type { Digest } from '../contract/brand.js';
import { digestOf } from '../registry/digest.js';
import { codeOf } from './writers.js';

// Synchronous throughout: a look at a file takes the system a few µs, and two threads 50 µs to hand it to each other; a
// first mirror looks at hundreds of files for each image (a tenth of its CPU time without its layers, measured).

/** A blob used in the last minute is not marked again. */
const FRESH_MS = 60_000;

/** When this machine started: what was written before may not have reached the disk whole. */
export const STARTED_MS = Date.now() - uptime() * 1000;

/** Marks a blob as used now; `relatime` mounts don't keep access times, so the modification time serves. */
export function touch(path: string, { mtimeMs }: Stats): void {
  mark(mtimeMs, (now) => utimesSync(path, now, now));
}

/** What the system says of a file; undefined when it is not there. */
export const look = (path: string): Stats | undefined => statSync(path, { throwIfNoEntry: false });

/**
 * Reads a manifest or a config, and marks it as used.
 *
 * @returns undefined when it is not there, or is damaged
 * @throws FactoryError `ImageUnsupported` when it is larger than `maxBytes`, of which there are few enough to be read at once
 */
export function readDocument(path: string, digest: Digest, maxBytes: number): Buffer | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { size, mtimeMs } = fstatSync(file);
    if (size > maxBytes)
      throw new FactoryError(
        'ImageUnsupported',
        `${digest} has ${size} bytes, and at most ${maxBytes} are read.`,
      );
    const bytes = readFileSync(file);
    if (digestOf(bytes) === digest) {
      mark(mtimeMs, (now) => futimesSync(file, now, now));
      return bytes;
    }
    rmSync(path, { force: true }); // damaged on disk: as good as absent, so it is fetched again
    return undefined;
  } finally {
    closeSync(file);
  }
}

function mark(mtimeMs: number, set: (now: Date) => void): void {
  const now = new Date();
  // A time in the future would keep it for longer than it is used.
  if (mtimeMs >= STARTED_MS && Math.abs(now.getTime() - mtimeMs) < FRESH_MS) return;
  try {
    set(now);
  } catch {
    // only a hint for eviction
  }
}
