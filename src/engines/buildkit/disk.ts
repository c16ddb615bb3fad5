import { statfs } from 'node:fs/promises';
import type { DockerSettings } from './settings.js';

/**
 * What is free where an engine keeps its images, in bytes for this user. Undefined where that can't be known: the engine
 * is another machine's, or the folder is not to be seen from here.
 */
export async function freeOnDisk(
  { host }: DockerSettings,
  dataRoot: string | undefined,
): Promise<number | undefined> {
  if (dataRoot === undefined || (host !== null && !host.startsWith('unix://'))) return undefined;
  try {
    const { bavail, bsize } = await statfs(dataRoot);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
