import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BucketAlreadyExists,
  BucketAlreadyOwnedByYou,
  CreateBucketCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { request } from 'undici';
import { serviceEnvironment } from './environment.js';
import { freePort, type Service, startService, withFreshPorts } from './service.js';

export interface S3Options {
  /** Versity's S3 gateway: a path, or a name to look up on PATH. */
  program?: string;
  /** A free one when absent. */
  port?: number;
  /** Where objects are kept; a temporary directory that ends with the server when absent. */
  storage?: string;
  /** Made when the server is up, unless they are there. */
  buckets?: readonly string[];
  log?: (line: string) => void;
  signal?: AbortSignal;
}

export interface S3Service extends Service {
  /** `http://127.0.0.1:port` */
  endpoint: string;
  /** Of the one account that the server knows, new with each start. */
  credentials: { accessKeyId: string; secretAccessKey: string };
  /** The root of its file system storage. */
  storage: string;
}

export const S3_REGION = 'us-east-1';

/**
 * Starts an S3 server (versitygw on a folder) on the loopback interface, plain HTTP, and waits until it is healthy. It
 * ends with this process, whatever happens.
 *
 * @throws FactoryError `ServiceFailed`, with what it printed
 */
export async function startS3(options: S3Options = {}): Promise<S3Service> {
  const service = await withFreshPorts(() => start(options));
  const client = new S3Client({ ...service, region: S3_REGION, forcePathStyle: true });
  try {
    for (const Bucket of options.buckets ?? [])
      await client
        .send(new CreateBucketCommand({ Bucket }), { abortSignal: options.signal })
        .catch((error: unknown) => {
          // Of an earlier start, which had another account.
          if (!(error instanceof BucketAlreadyExists) && !(error instanceof BucketAlreadyOwnedByYou))
            throw error;
        });
    return service;
  } catch (error) {
    await service.stop();
    throw error;
  } finally {
    client.destroy();
  }
}

async function start(options: S3Options): Promise<S3Service> {
  const directory = await mkdtemp(join(tmpdir(), 'image-factory-s3-'));
  const storage = options.storage ?? join(directory, 'objects');
  await mkdir(storage, { recursive: true });
  const address = `127.0.0.1:${options.port ?? (await freePort())}`;
  const credentials = { accessKeyId: `demo${randomUUID().slice(0, 8)}`, secretAccessKey: randomUUID() };
  const server = await startService({
    name: 'The S3 server',
    program: options.program ?? 'versitygw',
    args: ['--quiet', '--health', '/health', '--port', address, '--region', S3_REGION, 'posix', storage],
    // Not as arguments: those can be seen by everyone on the machine.
    env: serviceEnvironment({
      ROOT_ACCESS_KEY: credentials.accessKeyId,
      ROOT_SECRET_KEY: credentials.secretAccessKey,
    }),
    log: options.log,
    signal: options.signal,
    removeAfter: directory,
    probe: (signal) => isHealthy(address, signal),
  });
  return { address, endpoint: `http://${address}`, credentials, storage, stop: () => server.stop() };
}

async function isHealthy(address: string, signal: AbortSignal): Promise<void> {
  const answer = await request(`http://${address}/health`, {
    signal,
    headersTimeout: 2000,
    bodyTimeout: 2000,
  });
  await answer.body.dump();
  if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`);
}
