import { execFile } from 'node:child_process';
import { mkdir, readdir, rename, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { codeOf } from '../../src/common/network.js';

/** Where in a bench's directory what was cleared away waits for its end. */
export const asideIn = (directory: string): string => join(directory, 'aside');

let cleared = 0;

/**
 * Takes away what a contestant has left, as far as the next one can notice: its files are emptied and moved to `aside`,
 * to be removed when all have run; what waits for the disk is written. Removed at once, they would slow down whoever
 * comes after: for minutes ext4 looks at the number of every file that was removed before it makes a new one (measured:
 * a twelfth of all CPU in the third of three mirrors, and more after each).
 */
export async function clearAway(path: string, aside: string): Promise<void> {
  await mkdir(aside, { recursive: true });
  const to = join(aside, `${cleared++}`);
  try {
    await rename(path, to);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  const entries = await readdir(to, { recursive: true, withFileTypes: true });
  for (const entry of entries) if (entry.isFile()) await truncate(join(entry.parentPath, entry.name));
  await promisify(execFile)('sync');
}
