import { type SuperviseOptions, supervise } from './supervised.js';

/**
 * Runs a program to its end as {@link supervise} does, so that a long build ends with us, even by SIGKILL or Ctrl-C.
 *
 * @throws Error when it fails (with what it printed last) or takes too long; the signal's reason when cancelled
 */
export async function supervisedRun(
  program: string,
  args: readonly string[],
  options: SuperviseOptions & { timeoutMs: number; signal?: AbortSignal },
): Promise<void> {
  options.signal?.throwIfAborted();
  const running = supervise(program, args, options);
  let late = false;
  const stop = (): void => void running.stop();
  options.signal?.addEventListener('abort', stop, { once: true });
  const timer = setTimeout(() => {
    late = true;
    stop();
  }, options.timeoutMs);
  try {
    const code = await running.exited;
    options.signal?.throwIfAborted();
    const command = [program, ...args].join(' ');
    if (late) throw new Error(`${command} took longer than ${options.timeoutMs / 1000} s`);
    if (code !== 0) throw new Error(`${command} failed: ${running.tail()}`);
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', stop);
  }
}
