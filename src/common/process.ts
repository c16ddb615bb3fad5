import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface RunOptions {
  /** The child's whole environment; nothing is inherited unless named here. */
  env: Record<string, string>;
  cwd?: string;
  /** Its whole standard input; empty when absent. */
  input?: string;
  /** The program ends with us, even by SIGKILL; no `input` then, and what can't be started has code 126 or 127. */
  endsWithUs?: boolean;
  signal?: AbortSignal;
  timeoutMs: number;
  /** Standard output beyond this is an error; standard error is cut to its last 8 KiB. */
  maxOutputBytes?: number;
  /** Gets what it prints on either stream, in its order (with `endsWithUs`); the result has none of it then. */
  onOutput?: (chunk: Buffer) => void;
}

/** A program was ended because it took longer than it may. */
export class TookTooLong extends Error {}

export interface RunResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** How much of standard error is kept, in characters. */
export const STDERR_TAIL = 8 * 1024;

/**
 * Standard input is a pipe that only we hold. However we end, the kernel closes it, and the process group, which this
 * shell leads, is killed. The same text for every program: what runs is in the arguments. A shell takes 15 ms (measured).
 */
const lifeline = (redirect: string): string => `exec 3<&0 </dev/null ${redirect}
"$@" 3<&- & child=$!
{ read -r line <&3; kill -KILL -$$; } >/dev/null 2>&1 &
wait "$child"`;
const LIFELINE = lifeline('');
/** The same with one pipe for both streams: only so their order is kept. */
const MERGED = lifeline('2>&1');

/** Ends a child and everything it started. The child must lead its own process group (`detached: true`). */
export function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The whole group is gone already.
  }
}

/**
 * Runs a program to its end: no shell that reads its arguments, a clean environment, a time limit, bounded output. Cancelling `signal` or
 * running out of time kills its whole process group.
 *
 * @returns the exit code, whatever it is; deciding on it is the caller's.
 * @throws Error when it can't be started, is cancelled (the signal's reason), takes too long or prints too much.
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: RunOptions,
): Promise<RunResult> {
  options.signal?.throwIfAborted();
  const { endsWithUs = false, onOutput } = options;
  const [file, ...all] = endsWithUs
    ? ['/bin/sh', '-c', onOutput === undefined ? LIFELINE : MERGED, 'sh', program, ...args]
    : [program, ...args];
  const child = spawn(file, all, {
    env: options.env,
    cwd: options.cwd,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => {}); // a program need not read it
  // What it left behind in its group may hold its output open, and 'close' would wait for that.
  child.once('exit', () => killGroup(child, 'SIGKILL'));
  if (!endsWithUs) child.stdin.end(options.input ?? '');
  let failure: unknown;
  const stop = (why: unknown): void => {
    failure ??= why;
    killGroup(child, 'SIGKILL');
    // What left the group is not reached, but must not keep us waiting either. What was printed by now is read before.
    setImmediate(() => {
      child.stdout.destroy();
      child.stderr.destroy();
    });
  };
  const onAbort = (): void => stop(options.signal?.reason);
  options.signal?.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(
    () => stop(new TookTooLong(`${program} took longer than ${options.timeoutMs / 1000} s`)),
    options.timeoutMs,
  );
  const out: Buffer[] = [];
  let size = 0;
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => {
    if (onOutput !== undefined) return onOutput(chunk);
    size += chunk.length;
    if (size > (options.maxOutputBytes ?? 1 << 20)) stop(new Error(`${program} printed more than it may`));
    else out.push(chunk);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    if (onOutput !== undefined) return onOutput(chunk);
    err = (err + chunk.toString('utf8')).slice(-STDERR_TAIL);
  });
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    if (failure !== undefined) throw failure;
    return { code, stdout: Buffer.concat(out).toString('utf8'), stderr: err };
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', onAbort);
  }
}
