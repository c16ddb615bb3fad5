import { readFile } from 'node:fs/promises';

/** A killed child of a child may stay as a zombie until init reaps it: that one does not run either. */
export async function isRunning(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return status !== '' && !/\) Z /.test(status);
}
