import { fileURLToPath } from 'node:url';
import { FactoryError } from '../../common/errors.js';
import { serviceEnvironment } from './environment.js';
import { supervise } from './supervised.js';

export interface WorkerOptions {
  /** The worker's settings, added to where programs and the home are. */
  env: Record<string, string>;
  /** A directory to remove once the worker has ended, however it ended. */
  removeAfter?: string;
  log?: (line: string) => void;
  signal?: AbortSignal;
}

export interface WorkerService {
  /** Ends the worker as SIGTERM does. */
  stop(): Promise<void>;
}

/** Compiling the workflows from source is most of it. */
const READY_WITHIN_MS = 90_000;

/**
 * Starts a worker as a process of its own and waits until it polls.
 *
 * @throws FactoryError `ServiceFailed`, with what it printed.
 */
export async function startWorker({ env, removeAfter, log, signal }: WorkerOptions): Promise<WorkerService> {
  let ready = (): void => {};
  const polls = new Promise<'ready'>((resolve) => {
    ready = () => resolve('ready');
  });
  const worker = supervise(process.execPath, workerCommand(), {
    env: serviceEnvironment(env),
    ...(removeAfter === undefined ? {} : { removeAfter }),
    log: (line) => {
      if (line.includes('worker is ready')) ready();
      log?.(line);
    },
  });
  const limit = AbortSignal.any([AbortSignal.timeout(READY_WITHIN_MS), ...(signal ? [signal] : [])]);
  const late = new Promise<'late'>((resolve) =>
    limit.addEventListener('abort', () => resolve('late'), { once: true }),
  );
  const first = await Promise.race([polls, worker.exited.then(() => 'ended' as const), late]);
  if (first === 'ready') return worker;
  await worker.stop();
  signal?.throwIfAborted();
  const what = first === 'late' ? `was not ready within ${READY_WITHIN_MS / 1000} s` : 'ended as it started';
  throw new FactoryError('ServiceFailed', `The worker ${what}; it printed: ${worker.tail()}`);
}

/** From sources through tsx, from a build directly: the same way that this process runs. */
function workerCommand(): string[] {
  const compiled = import.meta.url.endsWith('.js');
  const entry = fileURLToPath(new URL(`../../worker.${compiled ? 'js' : 'ts'}`, import.meta.url));
  return compiled ? [entry] : ['--import', 'tsx', entry];
}
