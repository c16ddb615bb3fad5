import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { stringify } from 'yaml';
import { serviceEnvironment } from './environment.js';
import { freePort, type Service, startService, withFreshPorts } from './service.js';

export interface RegistryOptions {
  /** CNCF distribution 2.8 or 3: a path, or a name to look up on PATH. */
  program?: string;
  /** A free one when absent. */
  port?: number;
  /** Where blobs are kept; a temporary directory that ends with the server when absent. */
  storage?: string;
  /** Asks every client for one of the users in this htpasswd file (bcrypt). */
  htpasswd?: string;
  /** Files in PEM: it speaks TLS with them. */
  tls?: { certificate: string; key: string };
  /** Merged over the top level of the configuration, e.g. `{ validation: … }` or `{ middleware: … }`. */
  configuration?: Record<string, unknown>;
  log?: (line: string) => void;
  signal?: AbortSignal;
}

/**
 * Lets manifests name the layers of Microsoft's Windows images; without it distribution answers 500 or
 * `MANIFEST_BLOB_UNKNOWN` to any manifest with a foreign layer.
 */
export const WINDOWS_BASES_ALLOWED = {
  validation: { manifests: { urls: { allow: ['^https://mcr\\.microsoft\\.com/'] } } },
};

export interface RegistryService extends Service {
  /** The root of its file system storage: tests damage blobs there. */
  storage: string;
}

/**
 * Starts a registry (CNCF distribution) on the loopback interface, plain HTTP unless told otherwise, deletion allowed, and waits until it
 * answers the API's version check. It ends with this process, whatever happens.
 *
 * @throws FactoryError `ServiceFailed`, with what it printed
 */
export async function startRegistry(options: RegistryOptions = {}): Promise<RegistryService> {
  return withFreshPorts(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'image-factory-registry-'));
    const storage = options.storage ?? join(directory, 'storage');
    const address = `127.0.0.1:${options.port ?? (await freePort())}`;
    const file = join(directory, 'config.yml');
    await writeFile(file, stringify(configurationOf(address, storage, options)));
    const server = await startService({
      name: 'The registry',
      program: options.program ?? 'registry',
      args: ['serve', file],
      // Distribution 3 exports traces to localhost unless told otherwise, and complains about each failure.
      env: serviceEnvironment({ OTEL_TRACES_EXPORTER: 'none' }),
      log: options.log,
      signal: options.signal,
      removeAfter: directory,
      probe: (signal) => versionCheckAnswers(address, options.tls === undefined ? [200, 401] : [400], signal),
    });
    return { address, storage, stop: () => server.stop() };
  });
}

function configurationOf(address: string, storage: string, options: RegistryOptions): object {
  return {
    version: 0.1,
    log: { level: 'warn', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: storage }, delete: { enabled: true } },
    // One process serves every upload, so its secret need not outlive it; without one it warns at each start.
    http: {
      addr: address,
      secret: 'loopback-only',
      ...(options.tls && { tls: { certificate: options.tls.certificate, key: options.tls.key } }),
    },
    ...(options.htpasswd === undefined
      ? {}
      : { auth: { htpasswd: { realm: 'image-factory', path: options.htpasswd } } }),
    ...options.configuration,
  };
}

/** In plain HTTP, which one with TLS answers with 400: whether it is trusted is not what is asked here. */
async function versionCheckAnswers(
  address: string,
  expected: readonly number[],
  signal: AbortSignal,
): Promise<void> {
  const answer = await request(`http://${address}/v2/`, { signal, headersTimeout: 2000, bodyTimeout: 2000 });
  await answer.body.dump();
  if (!expected.includes(answer.statusCode)) throw new Error(`status ${answer.statusCode}`);
}
