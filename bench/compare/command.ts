import { runProgram } from '../../src/common/process.js';
import { serviceEnvironment } from '../../src/demo/services/environment.js';

/** No command of the bench takes as long, on any machine that is worth measuring. */
const LIMIT_MS = 10 * 60_000;

export interface CommandOptions {
  /** Its home: programs keep settings and caches there. */
  home: string;
  env?: Record<string, string>;
}

/** Runs a peer's command to its end. @returns what it printed. @throws Error when it fails, with what it said */
export async function command(
  program: string,
  args: readonly string[],
  { home, env }: CommandOptions,
): Promise<string> {
  const { code, stdout, stderr } = await runProgram(program, args, {
    env: serviceEnvironment({ HOME: home, ...env }),
    timeoutMs: LIMIT_MS,
    maxOutputBytes: 1 << 24,
  });
  if (code !== 0) throw new Error(`${program} ${args.slice(0, 2).join(' ')} failed: ${stderr.slice(-1000)}`);
  return stdout;
}
