import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { killGroup } from '../../common/process.js';

export interface SuperviseOptions {
  /** The program's whole environment; nothing is inherited. */
  env: Record<string, string>;
  cwd?: string;
  /** Gets each line that the program prints, on either stream. */
  log?: (line: string) => void;
  /** A directory to remove once the program has ended, however it ended. */
  removeAfter?: string;
}

/** A program that ends with this process, whatever happens to either. */
export interface Supervised {
  /** Resolves when the program and its whole process group are gone. 0 is success; null means killed. */
  readonly exited: Promise<number | null>;
  /** The last lines that it printed, for an error message. */
  tail(): string;
  /** SIGTERM, five seconds of grace, then SIGKILL; resolves when everything is gone. */
  stop(): Promise<void>;
}

const SUPERVISOR = fileURLToPath(new URL('./supervise.js', import.meta.url));
const TAIL_LINES = 20;
const MAX_LINE = 2000;

/**
 * Starts a program behind a supervisor that holds a pipe to this process and ends the program's process group when the
 * pipe closes, so even SIGKILL leaves nothing behind (`supervise.js` has the details).
 */
export function supervise(program: string, args: readonly string[], options: SuperviseOptions): Supervised {
  const child = spawn(process.execPath, [SUPERVISOR, options.removeAfter ?? '', program, ...args], {
    env: options.env,
    cwd: options.cwd,
    detached: true, // a group of its own: Ctrl-C reaches us alone, and we end it in order
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const onLine = (raw: string): void => {
    const line = raw.slice(0, MAX_LINE);
    lines.push(line);
    if (lines.length > TAIL_LINES) lines.shift();
    options.log?.(line);
  };
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', onLine);
  child.stdin.on('error', () => {}); // EPIPE after it died: `exited` tells

  const exited = new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      onLine(error.message);
      resolve(null);
    });
    child.once('exit', () => killGroup(child, 'SIGKILL')); // the supervisor alone may have been killed
    child.once('close', (code) => resolve(code));
  });
  return {
    exited,
    tail: () => lines.join('\n'),
    stop: async () => {
      child.stdin.end();
      await exited;
    },
  };
}
