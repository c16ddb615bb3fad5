/** A host that drops packets must not hold up the rest. */
export const CHECK_LIMIT_MS = 15_000;

/**
 * Gives work a time limit: its signal is aborted, and nobody waits for it any longer, whether it heeds the signal or
 * not.
 *
 * @throws Error that says how long was waited
 */
export async function withLimit<T>(
  work: (signal: AbortSignal) => Promise<T>,
  limitMs: number = CHECK_LIMIT_MS,
): Promise<T> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const reason = new Error(`no answer within ${limitMs / 1000} s`);
      reject(reason);
      controller.abort(reason);
    }, limitMs);
  });
  try {
    return await Promise.race([work(controller.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}
