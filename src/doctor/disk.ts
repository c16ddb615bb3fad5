import { constants } from 'node:fs';
import { access, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf } from '../common/errors.js';
import { FolderEvidenceStore } from '../store/evidence-folder.js';
import type { S3Settings } from '../store/s3-settings.js';
import { codeOf } from '../store/writers.js';
import { openBucket } from '../worker/evidence.js';
import { type Finding, fail, failure, ok, warn } from './finding.js';
import type { Situation } from './situation.js';

const GIGABYTE = 1e9;
const WARN_BELOW = 5 * GIGABYTE;
const FAIL_BELOW = 1 * GIGABYTE;
/** The evidence store has no way to delete: this stays, the same bytes each time. */
const PROBE = { key: 'doctor/probe.txt', text: 'image-factory doctor was here\n' };

/** Room and permission for layers and manifests. */
export async function checkContent({ environment: { contentDir } }: Situation): Promise<Finding> {
  try {
    const existing = await nearestExisting(contentDir);
    await access(existing, constants.W_OK);
    return spaceFinding(`CONTENT_DIR ${contentDir}`, await freeBytes(existing));
  } catch (error) {
    return fail(
      `CONTENT_DIR ${contentDir} can't be written (${codeOf(error) ?? messageOf(error)})`,
      'make it writable for this user, or set CONTENT_DIR to a folder that is',
    );
  }
}

/** Room for reports, and whether what is written there can be read again. */
export async function checkReports(
  { environment: { reportDir, s3, extraCaFile } }: Situation,
  signal: AbortSignal,
): Promise<Finding> {
  if (s3 !== null) return checkBucket(s3, extraCaFile, signal);
  const store = new FolderEvidenceStore(reportDir);
  const mend = 'make it a folder that this user may write, or set REPORT_DIR to one';
  try {
    const space = spaceFinding(
      `REPORT_DIR ${reportDir}`,
      await freeBytes(await nearestExisting(reportDir)),
      'is writable, ',
    );
    // Before anything is made: below /proc, which has no room either, Node 20's recursive mkdir was seen not to end.
    if (space.status === 'fail') return { ...space, found: space.found.replace(' is writable,', '') };
    await store.putOnce(PROBE.key, PROBE.text, signal);
    const read = await store.get(PROBE.key, signal);
    if (read?.toString('utf8') !== PROBE.text)
      return fail(`REPORT_DIR ${reportDir} gives back other bytes for ${PROBE.key} than were written`, mend);
    return space;
  } catch (error) {
    return failure(error, mend);
  }
}

async function checkBucket(
  settings: S3Settings,
  extraCaFile: string | null,
  signal: AbortSignal,
): Promise<Finding> {
  const store = await openBucket(settings, extraCaFile);
  const mend = 'check S3_BUCKET, AWS_REGION and AWS_ENDPOINT_URL_S3';
  try {
    await store.put(PROBE.key, PROBE.text, signal);
    const read = await store.get(PROBE.key, signal);
    if (read?.toString('utf8') !== PROBE.text)
      return fail(`${store.locate(PROBE.key)} gives back other bytes than were written`, mend);
    // A worker lists too, and without that permission AWS refuses to say that a key is free.
    await store.list('doctor/', signal);
    return ok(`S3_BUCKET ${settings.bucket} can be written, read and listed`);
  } catch (error) {
    return failure(error, mend);
  } finally {
    await store.close();
  }
}

/** @param bytes what is free for this user */
export function spaceFinding(what: string, bytes: number, also = ''): Finding {
  const found = `${what} ${also}has ${(bytes / GIGABYTE).toFixed(1)} GB free`;
  const mend = 'make room there, or set it to a folder on a larger disk';
  if (bytes < FAIL_BELOW) return fail(found, mend);
  return bytes < WARN_BELOW ? warn(found, mend) : ok(found);
}

/** What is free for this user, who may be no root: part of a disk is kept for root. */
async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

/** The worker makes the folder and those above it when they are missing. */
async function nearestExisting(path: string): Promise<string> {
  try {
    await access(path);
    return path;
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    return nearestExisting(dirname(path));
  }
}
