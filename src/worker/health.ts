import { rm, writeFile } from 'node:fs/promises';
import type { Client } from '@temporalio/client';
import type { Worker } from '@temporalio/worker';
import { messageOf } from '../common/errors.js';
import { log } from './log.js';

/** A check that reads the file's age (Dockerfile) gives it a minute: a short outage of Temporal restarts nobody. */
const BEAT_MS = 10_000;
const ANSWER_MS = 5000;

/**
 * Writes `file` now and then as long as the worker is healthy: it polls for tasks, and Temporal answers for its namespace.
 * A file can be looked at without a port, by Docker and Kubernetes alike.
 *
 * @returns ends it, and removes the file
 */
export function beatWhileHealthy(
  file: string,
  worker: Pick<Worker, 'getState'>,
  client: Client,
): () => Promise<void> {
  const ended = new AbortController();
  let beating: Promise<unknown> = Promise.resolve();
  const next = (): void => {
    beating = beat(file, worker, client, ended.signal);
  };
  const timer = setInterval(next, BEAT_MS).unref();
  // The worker's state is RUNNING once `run` is called, which our caller does next.
  setImmediate(next);
  return async () => {
    clearInterval(timer);
    ended.abort();
    await beating;
    await rm(file, { force: true });
  };
}

/** One look at the worker. @returns whether it was healthy, and the file was written. */
export async function beat(
  file: string,
  worker: Pick<Worker, 'getState'>,
  client: Client,
  signal?: AbortSignal,
): Promise<boolean> {
  if (worker.getState() !== 'RUNNING') return false;
  const limit = AbortSignal.any([AbortSignal.timeout(ANSWER_MS), ...(signal ? [signal] : [])]);
  try {
    const { namespace } = client.options;
    await client.withAbortSignal(limit, () => client.workflowService.describeNamespace({ namespace }));
    limit.throwIfAborted();
    await writeFile(file, `${new Date().toISOString()}\n`);
    return true;
  } catch (error) {
    if (!signal?.aborted)
      log.warn({ error: messageOf(error) }, 'not healthy: Temporal gives no answer for the namespace');
    return false;
  }
}
