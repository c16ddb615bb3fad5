import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Dispatcher, EnvHttpProxyAgent, interceptors } from 'undici';
import { FactoryError } from '../../common/errors.js';
import { supervisedRun } from '../services/supervised-run.js';
import type { Release } from './catalog.js';
import { type Environment, packageEnvironment } from './environment.js';

const CONNECT_MS = 5000;
const CHECKSUMS_WITHIN_MS = 10_000;
const MAX_CHECKSUMS_BYTES = 256 * 1024;
const MAX_ARCHIVE_BYTES = 400 * 1024 * 1024;

/** HTTP as the tools' hosts need it: proxies from the environment, redirects to the CDN, no long wait for a connection. */
export function httpFor(env: Environment): Dispatcher {
  const agent = new EnvHttpProxyAgent({
    httpProxy: env.http_proxy ?? env.HTTP_PROXY,
    httpsProxy: env.https_proxy ?? env.HTTPS_PROXY,
    noProxy: env.no_proxy ?? env.NO_PROXY,
    connect: { timeout: CONNECT_MS },
    headersTimeout: 15_000,
    bodyTimeout: 30_000,
  });
  return agent.compose(interceptors.redirect({ maxRedirections: 5 }));
}

async function get(http: Dispatcher, url: string, signal: AbortSignal | undefined) {
  const { origin, pathname, search } = new URL(url);
  const answer = await http.request({ origin, path: pathname + search, method: 'GET', signal });
  if (answer.statusCode === 200) return answer.body;
  await answer.body.dump();
  throw new Error(`${url} answered ${answer.statusCode}`);
}

/**
 * The SHA-256 (hex) that the release's checksum file gives for its archive. It is small, so it also tells quickly
 * whether the release can be reached at all.
 */
export async function releaseChecksum(
  http: Dispatcher,
  release: Release,
  signal?: AbortSignal,
): Promise<string> {
  const soon = AbortSignal.timeout(CHECKSUMS_WITHIN_MS);
  const body = await get(http, release.checksums, signal ? AbortSignal.any([signal, soon]) : soon);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > MAX_CHECKSUMS_BYTES) throw new Error(`${release.checksums} is larger than it may be`);
    chunks.push(bytes);
  }
  // sha256sum's format: hash, blank, blank or `*`, name.
  const name = basename(new URL(release.archive).pathname);
  for (const line of Buffer.concat(chunks).toString('utf8').split('\n')) {
    const match = /^([0-9a-f]{64}) [ *]?(?:\.\/)?(.+?)\s*$/i.exec(line);
    if (match?.[1] !== undefined && match[2] === name) return match[1].toLowerCase();
  }
  throw new Error(`${release.checksums} names no checksum of ${name}`);
}

/**
 * Downloads a release's archive into `scratch`, proves it by its checksum, and only then unpacks it (what
 * is no archive is the program).
 *
 * @returns the program's path
 * @throws FactoryError `TransferCorrupt` when the bytes are not those that the release names
 */
export async function downloadProgram(
  http: Dispatcher,
  release: Release,
  options: { sha256: string; program: string; scratch: string; env: Environment; signal?: AbortSignal },
): Promise<string> {
  const archive = join(options.scratch, 'archive');
  const hash = createHash('sha256');
  let size = 0;
  const check = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      hash.update(chunk);
      done(size > MAX_ARCHIVE_BYTES ? new Error(`${release.archive} is larger than it may be`) : null, chunk);
    },
  });
  const body = await get(http, release.archive, options.signal);
  await pipeline(body, check, createWriteStream(archive), { signal: options.signal });
  if (hash.digest('hex') !== options.sha256) {
    throw new FactoryError(
      'TransferCorrupt',
      `${release.archive} is not what ${release.checksums} says it is; try again, and if it stays so, find out who ` +
        'stands between you and the release.',
    );
  }
  if (!release.archive.endsWith('.tar.gz')) return archive;
  const unpacked = join(options.scratch, 'unpacked');
  await mkdir(unpacked);
  await supervisedRun('tar', ['-xzf', archive, '-C', unpacked], {
    env: packageEnvironment(options.env),
    timeoutMs: 120_000,
    signal: options.signal,
  });
  return join(unpacked, release.folder ?? '', options.program);
}
