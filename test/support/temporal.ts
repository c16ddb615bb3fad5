import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { inject } from 'vitest';

export interface TemporalFixture {
  client: Client;
  /** `host:port` */
  address: string;
  /** This fixture's own, so no other test's worker takes its tasks. */
  taskQueue: string;
  /** A workflow id that no other test has. */
  uniqueId(name: string): string;
  /** Starts an in-process worker on the task queue with the bundled workflows; it ends with `close`, or by `stop`. */
  startWorker(options: Partial<WorkerOptions>): Promise<{ stop(): Promise<void> }>;
  close(): Promise<void>;
}

/** Connects to the tests' shared Temporal server, or another one. Call `close` when done; it also ends the workers. */
export async function openTemporal(address = inject('temporalAddress')): Promise<TemporalFixture> {
  quietRuntime();
  const connection = await Connection.connect({ address });
  const native = await NativeConnection.connect({ address });
  const taskQueue = `test-${randomUUID()}`;
  const workers: { stop(): Promise<void> }[] = [];
  return {
    client: new Client({ connection }),
    address,
    taskQueue,
    uniqueId: (name) => `${name}-${randomUUID()}`,
    startWorker: async (options) => {
      const worker = await Worker.create({
        connection: native,
        taskQueue,
        workflowBundle: { codePath: inject('workflowBundle') },
        shutdownGraceTime: '2s',
        maxHeartbeatThrottleInterval: '2s', // as the product's worker has it
        ...options,
      });
      const done = worker.run();
      done.catch(() => {}); // `stop` hands it on; until then it is no unhandled rejection
      const stop = async (): Promise<void> => {
        if (worker.getState() === 'RUNNING') worker.shutdown();
        await done;
      };
      workers.push({ stop });
      return { stop };
    },
    close: async () => {
      await Promise.all(workers.map((worker) => worker.stop()));
      await native.close();
      await connection.close();
    },
  };
}

let quiet = false;

/** Failures that tests provoke are no news; the SDK's runtime can be set once per process. */
export function quietRuntime(): void {
  if (quiet) return;
  quiet = true;
  Runtime.install({ logger: new DefaultLogger('ERROR') });
}
