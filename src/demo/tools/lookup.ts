import { access, constants, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { runProgram } from '../../common/process.js';
import type { ToolSpec } from './catalog.js';
import { type Environment, packageEnvironment } from './environment.js';
import { atLeast } from './version.js';

export interface FoundTool {
  path: string;
  /** What it says of itself, as `ToolSpec.versionPattern` reads it. */
  version: string;
}

/** Whether the path is a file that we may execute. */
export async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** The version that a program reports; undefined when it can't be run or is something else of the same name. */
export async function versionOf(
  spec: Pick<ToolSpec, 'versionArgs' | 'versionPattern'>,
  path: string,
  env: Environment,
  signal?: AbortSignal,
): Promise<string | undefined> {
  try {
    const options = { env: packageEnvironment(env), timeoutMs: 30_000, signal };
    const { stdout, stderr } = await runProgram(path, spec.versionArgs, options);
    return spec.versionPattern.exec(`${stdout}\n${stderr}`)?.[1];
  } catch {
    signal?.throwIfAborted();
    return undefined;
  }
}

/** The first program on PATH that is the tool, in a version that we can use. */
export async function findOnPath(
  spec: ToolSpec,
  env: Environment,
  signal?: AbortSignal,
): Promise<FoundTool | undefined> {
  for (const command of spec.commands) {
    for (const directory of (env.PATH ?? '').split(delimiter)) {
      const path = join(directory, command);
      if (directory === '' || !(await isProgram(path))) continue;
      const version = await versionOf(spec, path, env, signal);
      if (version !== undefined && atLeast(version, spec.minimum)) return { path, version };
    }
  }
  return undefined;
}
