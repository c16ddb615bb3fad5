import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbandoned, writerName } from '../store/writers.js';

/**
 * Works in a directory of one scan's own, beside the content store's blobs, so that they can be hard links. It goes when
 * the work ends; what dead processes left goes first.
 */
export async function inWorkplace<T>(store: string, work: (place: string) => Promise<T>): Promise<T> {
  const parent = join(store, 'scans');
  await mkdir(parent, { recursive: true, mode: 0o700 });
  for (const name of await readdir(parent)) {
    const stats = await stat(join(parent, name)).catch(() => undefined);
    if (stats !== undefined && isAbandoned(name, stats.mtimeMs))
      await rm(join(parent, name), { recursive: true, force: true });
  }
  const place = join(parent, writerName());
  await mkdir(place, { mode: 0o700 });
  try {
    return await work(place);
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}
