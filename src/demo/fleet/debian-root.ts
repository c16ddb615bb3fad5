import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { request } from 'undici';
import { messageOf } from '../../common/errors.js';
import { runProgram } from '../../common/process.js';
import { isDigest } from '../../registry/digest.js';
import { supervisedRun } from '../services/supervised-run.js';
import { httpFor } from '../tools/download.js';
import { type Environment, packageEnvironment, toolsDirectory } from '../tools/environment.js';
import { withLock } from '../tools/lock.js';
import type { ToolEvent } from '../tools.js';
import type { DebianRoot } from './fleet.js';
import type { Architecture } from './packages.js';

const TITLE = 'debian 12';
const MIRROR = 'http://deb.debian.org/debian';
const SUITE = 'bookworm';
/** Half a minute on a quiet machine, two on a busy one. */
const MADE_WITHIN_MS = 300_000;

/** What Debian's own slim images leave out, and what is there for the machine that ran debootstrap. */
const LEFT_OUT = [
  './dev/*',
  './usr/share/doc/*',
  './usr/share/info/*',
  './usr/share/locale/*',
  './usr/share/man/*',
  './var/cache/apt/*',
  './var/lib/apt/lists/*',
  './var/log/*',
];

export interface DebianRootOptions {
  report?: (event: ToolEvent) => void;
  signal?: AbortSignal;
  /** `process.env` unless a test says otherwise. */
  env?: Environment;
  mirror?: string;
  /** Packages besides the smallest system's; such a root is kept on its own. */
  packages?: readonly string[];
  /** Whether this process is root, when not what the system says. */
  isRoot?: boolean;
}

/**
 * A real Debian root file system by debootstrap, from the tool cache or made now and kept there. Undefined where that is
 * not possible (it needs Linux, root, debootstrap and Debian's mirror): `report` gets the reason as one line, and the
 * fleet does without. Nothing is installed on the machine.
 */
export async function debianRoot(options: DebianRootOptions = {}): Promise<DebianRoot | undefined> {
  const { env = process.env, mirror = MIRROR, isRoot = process.getuid?.() === 0, report, signal } = options;
  const began = performance.now();
  let worked = false;
  const tell = (state: ToolEvent['state'], what: string): void => {
    worked ||= state === 'working';
    report?.({ tool: TITLE, state, what, elapsedMs: worked ? performance.now() - began : 0 });
  };
  const architecture = ARCHITECTURE_OF[process.arch];
  if (process.platform !== 'linux' || architecture === undefined) {
    tell('ready', 'a built image stands in, since debootstrap runs on Linux only');
    return undefined;
  }
  const { packages = [] } = options;
  const place = join(toolsDirectory(env), [TITLE.replace(' ', '-'), architecture, ...packages].join('-'));
  const kept = await read(place, architecture);
  if (kept !== undefined) {
    tell('ready', `in the cache, ${place}`);
    return kept;
  }
  try {
    const lack = isRoot ? await lackOf(mirror, env, signal) : 'debootstrap needs root';
    if (lack !== undefined) {
      tell('ready', `a built image stands in, since ${lack}`);
      return undefined;
    }
    await mkdir(toolsDirectory(env), { recursive: true });
    return await withLock(
      `${place}.lock`,
      async (scratch) => {
        const meanwhile = await read(place, architecture);
        if (meanwhile !== undefined) return meanwhile;
        tell('working', `debootstrap --variant=minbase ${SUITE}`);
        await make(place, scratch, { mirror, packages }, env, signal);
        tell('ready', `made by debootstrap, now ${place}`);
        return read(place, architecture);
      },
      { signal, onWait: () => tell('working', 'waiting for another process') },
    );
  } catch (error) {
    signal?.throwIfAborted();
    // Of what it printed the last line says why.
    tell('ready', `a built image stands in: ${messageOf(error).trim().split('\n').at(-1)}`);
    return undefined;
  }
}

const ARCHITECTURE_OF: Partial<Record<string, Architecture>> = { x64: 'amd64', arm64: 'arm64' };

/** Why it can't be made here, in words that go on after "since". */
async function lackOf(
  mirror: string,
  env: Environment,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const options = { env: packageEnvironment(env), timeoutMs: 10_000, signal };
  const { code } = await runProgram('debootstrap', ['--version'], options).catch(() => ({ code: null }));
  signal?.throwIfAborted();
  if (code !== 0) return 'there is no debootstrap (on Debian: apt-get install debootstrap)';
  const dispatcher = httpFor(env);
  try {
    const { body, statusCode } = await request(`${mirror}/dists/${SUITE}/Release`, {
      method: 'HEAD',
      dispatcher,
      signal,
    });
    await body.dump();
    return statusCode === 200 ? undefined : `${mirror} answers ${statusCode}`;
  } catch {
    signal?.throwIfAborted();
    return `${mirror} does not answer`;
  } finally {
    await dispatcher.destroy();
  }
}

async function make(
  place: string,
  scratch: string,
  { mirror, packages }: { mirror: string; packages: readonly string[] },
  env: Environment,
  signal: AbortSignal | undefined,
): Promise<void> {
  const run = (program: string, args: string[]): Promise<void> =>
    supervisedRun(program, args, { env: packageEnvironment(env), timeoutMs: MADE_WITHIN_MS, signal });
  const root = join(scratch, 'root');
  // In a mount namespace of its own: what debootstrap mounts below `root` (/proc, /sys) ends with it, however it ends,
  // so that removing `root` never reaches into the machine's own.
  const wanted = packages.length === 0 ? [] : [`--include=${packages.join(',')}`];
  await run('unshare', ['--mount', '--', 'debootstrap', '--variant=minbase', ...wanted, SUITE, root, mirror]);
  const archive = join(scratch, 'root.tar');
  const excluded = LEFT_OUT.map((path) => `--exclude=${path}`);
  const numbers = ['--sort=name', '--mtime=@0', '--numeric-owner'];
  await run('tar', [...numbers, ...excluded, '-C', root, '-cf', archive, '.']);
  const whole = join(scratch, 'whole');
  await mkdir(whole);
  const hash = createHash('sha256');
  await pipeline(
    createReadStream(archive),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        yield chunk;
      }
    },
    createGzip(),
    createWriteStream(join(whole, LAYER)),
    { signal },
  );
  await writeFile(join(whole, DIFF_ID), `sha256:${hash.digest('hex')}`);
  await rm(place, { recursive: true, force: true }); // a damaged one: it could not be read
  await rename(whole, place);
}

const LAYER = 'layer.tar.gz';
const DIFF_ID = 'diff-id';

async function read(place: string, architecture: Architecture): Promise<DebianRoot | undefined> {
  try {
    const [bytes, diffId] = await Promise.all([
      readFile(join(place, LAYER)),
      readFile(join(place, DIFF_ID), 'utf8'),
    ]);
    return isDigest(diffId) ? { architecture, bytes, diffId } : undefined;
  } catch {
    return undefined; // not there
  }
}
