import { execFile } from 'node:child_process';
import { mkdir, readdir, rename, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { codeOf } from '../src/common/network.js';

/** Where in a bench's directory what was cleared away waits for its end. */
export const asideIn = (directory: string): string => join(directory, 'aside');

let cleared = 0;

/**
 * Takes away what a contestant has left, as far as the next one can notice, and has the system write what waits for the
 * disk. Its files are emptied and moved to `aside`, to be removed when all have run: removed at once they would slow down
 * whoever comes next, since ext4 without a journal, as in small virtual machines, passes over the numbers of files that
 * were removed in the last minutes one by one before it makes a new file (measured there: a twelfth of all CPU in the third
 * of three mirrors, and more after each). A path that is not there is fine.
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
