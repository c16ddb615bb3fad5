import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { killGroup } from '../../src/common/process.js';

const ENTRY = fileURLToPath(new URL('../../src/client.ts', import.meta.url));

export interface CliEnd {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface CliProcess {
  child: ChildProcess;
  ended: Promise<CliEnd>;
  /** What is on its standard output so far. */
  output(): string;
  /** Settles when what it printed so far, on either stream, matches; rejects when it ended without. */
  printed(pattern: RegExp): Promise<void>;
}

/** Starts the product's command line as a person's shell does: a process of its own, with this environment alone. */
export function startCli(args: readonly string[], env: Record<string, string>): CliProcess {
  return startProgram(process.execPath, ['--import', 'tsx', ENTRY, ...args], env);
}

/** Runs it to its end. */
export const cli = (args: readonly string[], env: Record<string, string>): Promise<CliEnd> =>
  startCli(args, env).ended;

/** Any program in a process group of its own, which ends with the test. */
export function startProgram(
  program: string,
  args: readonly string[],
  env: Record<string, string>,
): CliProcess {
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  onTestFinished(() => killGroup(child, 'SIGKILL'));
  const text = { stdout: '', stderr: '' };
  const watchers = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (part: string) => {
      text[name] += part;
      for (const watcher of watchers) watcher();
    });
  }
  const ended = once(child, 'close').then(([code]: (number | null)[]) => ({ code: code ?? null, ...text }));
  const printed = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!pattern.test(text.stdout + text.stderr)) return;
        watchers.delete(look);
        resolve();
      };
      watchers.add(look);
      void ended.then(() =>
        reject(new Error(`it ended without printing ${pattern}: ${text.stdout}${text.stderr}`)),
      );
      look();
    });
  return { child, ended, output: () => text.stdout, printed };
}
