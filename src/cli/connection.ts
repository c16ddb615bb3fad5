import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { messageOf } from '../common/errors.js';
import { DEFAULT_TASK_QUEUE } from '../contract/names.js';
import { CliExit, EXIT } from './exit.js';

export interface TemporalClient {
  client: Client;
  taskQueue: string;
  close(): Promise<void>;
}

/** Connects as the Temporal CLI does: `TEMPORAL_*` and its configuration file. @throws CliExit 3 when nobody answers. */
export async function connectTemporal(env: NodeJS.ProcessEnv = process.env): Promise<TemporalClient> {
  const { connectionOptions, namespace } = loadClientConnectConfig();
  const address = connectionOptions.address ?? 'localhost:7233';
  try {
    const connection = await Connection.connect({ ...connectionOptions, connectTimeout: '10s' });
    return {
      client: new Client({ connection, ...(namespace === undefined ? {} : { namespace }) }),
      taskQueue: env.TEMPORAL_TASK_QUEUE || DEFAULT_TASK_QUEUE,
      close: () => connection.close(),
    };
  } catch (error) {
    throw new CliExit(
      EXIT.unreachable,
      `no Temporal server answers at ${address}: ${messageOf(error)}. Set TEMPORAL_ADDRESS, or start one: temporal server start-dev`,
    );
  }
}

/** Connects, runs, and closes whatever happens. */
export async function withTemporal<T>(body: (temporal: TemporalClient) => Promise<T>): Promise<T> {
  const temporal = await connectTemporal();
  try {
    return await body(temporal);
  } finally {
    await temporal.close();
  }
}
