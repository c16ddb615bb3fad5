import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { serviceEnvironment } from './environment.js';
import { freePort, type Service, startService, withFreshPorts } from './service.js';

export interface S3Options {
  /** Versity's S3 gateway: a path, or a name to look up on PATH. */
  program?: string;
  /** A free one when absent. */
  port?: number;
  /** Where objects are kept; a temporary directory that ends with the server when absent. */
  storage?: string;
  /** There when the server is up, with what an earlier one left in them. */
  buckets?: readonly string[];
  /** Paths of a certificate and its key (PEM): it speaks TLS then, and nothing else. */
  tls?: { certificate: string; key: string };
  log?: (line: string) => void;
  signal?: AbortSignal;
}

export interface S3Service extends Service {
  /** `http://127.0.0.1:port`, or `https://…` */
  endpoint: string;
  /** Of the one account that the server knows, new with each start. */
  credentials: { accessKeyId: string; secretAccessKey: string };
  /** The root of its file system storage. */
  storage: string;
}

export const S3_REGION = 'us-east-1';

/**
 * Starts an S3 server (versitygw on a folder) on the loopback interface and waits until it is healthy. It ends with this
 * process, whatever happens.
 *
 * @throws FactoryError `ServiceFailed`, with what it printed
 */
export const startS3 = (options: S3Options = {}): Promise<S3Service> => withFreshPorts(() => start(options));

async function start(options: S3Options): Promise<S3Service> {
  const directory = await mkdtemp(join(tmpdir(), 'image-factory-s3-'));
  const storage = options.storage ?? join(directory, 'objects');
  // A folder below the root is a bucket, of whichever account the server is started with.
  for (const bucket of ['', ...(options.buckets ?? [])])
    await mkdir(join(storage, bucket), { recursive: true });
  const address = `127.0.0.1:${options.port ?? (await freePort())}`;
  const credentials = { accessKeyId: `demo${randomUUID().slice(0, 8)}`, secretAccessKey: randomUUID() };
  const { tls } = options;
  const endpoint = `${tls === undefined ? 'http' : 'https'}://${address}`;
  const secure = tls === undefined ? [] : ['--cert', tls.certificate, '--key', tls.key];
  const server = await startService({
    name: 'The S3 server',
    program: options.program ?? 'versitygw',
    args: [
      ...['--quiet', '--health', '/health', '--port', address, '--region', S3_REGION, ...secure],
      ...['posix', storage],
    ],
    // Not as arguments: those can be seen by everyone on the machine.
    env: serviceEnvironment({
      ROOT_ACCESS_KEY: credentials.accessKeyId,
      ROOT_SECRET_KEY: credentials.secretAccessKey,
    }),
    log: options.log,
    signal: options.signal,
    removeAfter: directory,
    probe: (signal) => isHealthy(endpoint, signal),
  });
  return { address, endpoint, credentials, storage, stop: () => server.stop() };
}

/** Which certificate it has is its clients' to judge. */
const anyCertificate = { connect: { rejectUnauthorized: false } };

async function isHealthy(endpoint: string, signal: AbortSignal): Promise<void> {
  const dispatcher = new Agent(anyCertificate);
  try {
    const limits = { headersTimeout: 2000, bodyTimeout: 2000 };
    const answer = await request(`${endpoint}/health`, { signal, dispatcher, ...limits });
    await answer.body.dump();
    if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`);
  } finally {
    await dispatcher.destroy();
  }
}
