import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { FactoryError } from '../../common/errors.js';
import { type Supervised, type SuperviseOptions, supervise } from './supervised.js';

/** A running server on the loopback interface. */
export interface Service {
  /** `127.0.0.1:port` */
  address: string;
  /** Ends the server and removes what it kept in a temporary directory. */
  stop(): Promise<void>;
}

export interface ServicePlan extends SuperviseOptions {
  /** For messages: `Temporal`, `registry`. */
  name: string;
  program: string;
  args: readonly string[];
  /** Resolves once the server answers as it should; rejects while it doesn't yet. */
  probe: (signal: AbortSignal) => Promise<void>;
  signal?: AbortSignal;
}

const READY_WITHIN_MS = 60_000;
const PROBE_EVERY_MS = 50;

/** A TCP port of the loopback interface that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no TCP port could be taken');
  return address.port;
}

/**
 * Starts a server and waits until it answers its probe.
 *
 * @throws FactoryError `ServiceFailed` when it ends before that, or takes over a minute; it is stopped then.
 */
export async function startService(plan: ServicePlan): Promise<Supervised> {
  const server = supervise(plan.program, plan.args, plan);
  const ended = new AbortController();
  void server.exited.then(() => ended.abort());
  const signal = AbortSignal.any([
    ended.signal,
    AbortSignal.timeout(READY_WITHIN_MS),
    ...(plan.signal === undefined ? [] : [plan.signal]),
  ]);
  // A server does not tell that it listens: asking it, bounded, is the only way that works for all of them.
  while (!signal.aborted) {
    try {
      await plan.probe(signal);
      return server;
    } catch {
      await delay(PROBE_EVERY_MS, undefined, { signal }).catch(() => {});
    }
  }
  const died = ended.signal.aborted;
  await server.stop();
  plan.signal?.throwIfAborted();
  throw new FactoryError(
    'ServiceFailed',
    `${plan.name} ${died ? 'ended as it started' : 'did not answer within a minute'}; it printed: ${server.tail()}`,
  );
}

/**
 * Between finding a free port and listening on it, another process can take it: then a new one is tried.
 *
 * @param attempt starts the server on ports that it picks itself
 */
export async function withFreshPorts<T>(attempt: () => Promise<T>): Promise<T> {
  for (let left = 3; ; left -= 1) {
    try {
      return await attempt();
    } catch (error) {
      const taken = error instanceof FactoryError && /address already in use/i.test(error.message);
      if (!taken || left === 0) throw error;
    }
  }
}
