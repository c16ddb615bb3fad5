import { Connection } from '@temporalio/client';
import { serviceEnvironment } from './environment.js';
import { freePort, type Service, startService, withFreshPorts } from './service.js';

export interface TemporalOptions {
  /** The Temporal CLI: a path, or a name to look up on PATH. */
  program?: string;
  /** Keeps histories in this file; in memory when absent. */
  dbFile?: string;
  /** gRPC port; a free one when absent. */
  port?: number;
  /** Web UI's port, or `false` for none; a free one when absent. */
  uiPort?: number | false;
  /** Server settings, e.g. `{ 'limit.historyCount.suggestContinueAsNew': '50' }`. */
  dynamicConfig?: Readonly<Record<string, string>>;
  /** Created at the start; `default` when absent. */
  namespace?: string;
  log?: (line: string) => void;
  signal?: AbortSignal;
}

export interface TemporalService extends Service {
  namespace: string;
  /** `http://127.0.0.1:port`, if there is a Web UI. */
  ui: string | undefined;
}

/**
 * Starts Temporal's dev server on the loopback interface and waits until its namespace answers. It ends with this
 * process, whatever happens.
 *
 * @throws FactoryError `ServiceFailed`, with what it printed
 */
export async function startTemporal(options: TemporalOptions = {}): Promise<TemporalService> {
  const namespace = options.namespace ?? 'default';
  return withFreshPorts(async () => {
    const port = options.port ?? (await freePort());
    const uiPort = options.uiPort === false ? undefined : (options.uiPort ?? (await freePort()));
    const address = `127.0.0.1:${port}`;
    const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port)];
    args.push('--namespace', namespace, '--log-level', 'error');
    args.push(...(uiPort === undefined ? ['--headless'] : ['--ui-port', String(uiPort)]));
    for (const [name, value] of Object.entries(options.dynamicConfig ?? {}))
      args.push('--dynamic-config-value', `${name}=${value}`);
    if (options.dbFile !== undefined) args.push('--db-filename', options.dbFile);
    const server = await startService({
      name: 'Temporal',
      program: options.program ?? 'temporal',
      args,
      env: serviceEnvironment(),
      log: options.log,
      signal: options.signal,
      probe: (signal) => namespaceAnswers(address, namespace, signal),
    });
    const ui = uiPort === undefined ? undefined : `http://127.0.0.1:${uiPort}`;
    return { address, namespace, ui, stop: () => server.stop() };
  });
}

async function namespaceAnswers(address: string, namespace: string, signal: AbortSignal): Promise<void> {
  // A fresh connection each time: gRPC waits a second and more before it dials an address again that refused it.
  const connection = await Connection.connect({ address, connectTimeout: 1000 });
  try {
    await connection.withAbortSignal(signal, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
  } finally {
    await connection.close();
  }
}
