import { randomUUID } from 'node:crypto';
import { constants, copyFile, link, readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { FactoryError } from '../common/errors.js';

/**
 * Names that say which process made a file, so that what a dead one left behind in a shared directory can be told from
 * what a live one is busy with. The host is escaped, so that dots separate the three parts.
 */
const HOST = hostname().replace(/[^A-Za-z0-9-]/g, '-') || 'host';
/** In a container that is started again, the new process has the name and the number of the dead one. */
const LIFE = randomUUID();
let made = 0;

/** `host.pid.life`, where the last part is new for each call. */
export const writerName = (): string => `${HOST}.${process.pid}.${LIFE}-${made++}`;

/** Longer than any step may take; what a process of another host made is given up after this. */
const STALE_MS = 2 * 60 * 60 * 1000;

/** Whether the process that made the file is gone. Another host's is judged by age alone, this process's own never is. */
export function isAbandoned(name: string, modifiedMs: number): boolean {
  const [host, pid, life] = name.split('.');
  const here = host === HOST && Number(pid) === process.pid;
  if (here && life?.startsWith(LIFE)) return false; // whatever the clock says, which may have jumped since
  if (Date.now() - modifiedMs > STALE_MS) return true;
  return here || (host === HOST && !isRunning(Number(pid)));
}

/** Whether a process of this host made the file, as far as the names tell. */
export const isOfThisHost = (name: string): boolean => name.startsWith(`${HOST}.`);

function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** Removes what dead processes left in a directory of {@link writerName} files; returns the names that are alive. */
export async function sweepAbandoned(directory: string): Promise<string[]> {
  const alive: string[] = [];
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const found = await stat(path).catch(() => undefined); // its writer has just finished
    if (found === undefined) continue;
    if (isAbandoned(name, found.mtimeMs)) await rm(path, { force: true });
    else alive.push(name);
  }
  return alive;
}

/** File systems without hard links (SMB, Azure Files, FAT) say so in one of these ways. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/**
 * Gives a finished temporary file its name unless the name is taken; unlike rename(2), which would replace.
 *
 * @returns whether the name was free.
 */
export async function placeOnce(temporary: string, path: string): Promise<boolean> {
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    const code = codeOf(error) ?? '';
    if (code === 'EEXIST') return false;
    if (!NO_LINKS.has(code)) throw error;
  }
  try {
    // Exclusive as well, but a reader may see a part of it for a moment.
    await copyFile(temporary, path, constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    return false;
  }
}

/** The system's code of an error (`ENOENT`), if it has one. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

const FULL = new Set(['ENOSPC', 'EDQUOT']);

/** A `DiskFull` that names the directory when that is what the error means. */
export function diskFull(error: unknown, directory: string, setting: string): FactoryError | undefined {
  if (!FULL.has(codeOf(error) ?? '')) return undefined;
  const message = `No space is left in ${directory}: free some there, or set ${setting} to a larger place.`;
  return new FactoryError('DiskFull', message, { cause: error });
}
