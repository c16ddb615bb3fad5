import { FactoryError } from '../common/errors.js';

/** More or fewer bytes than were announced. */
export const wrongSize = (what: string, size: number, found: string): FactoryError =>
  new FactoryError(
    'TransferCorrupt',
    `${what} should have ${size} bytes but ${found}: it is fetched or sent again`,
  );

export interface ExactlyOptions {
  /** In bytes, with those that are skipped. */
  size: number;
  /** So many bytes of it are left out at the start; none when absent. */
  skip?: number;
  /** What flows, for the message. */
  what: string;
  /** Gets the sum after each piece. */
  onBytes?: ((sum: number) => void) | undefined;
  /** Makes the error that the reader gets of whatever broke the source or was wrong with it. */
  translate?: (error: unknown) => unknown;
}

/** The bytes of `source`, which must be `size` of them, else it fails with `TransferCorrupt`. */
export async function* exactly(
  source: AsyncIterable<Buffer>,
  options: ExactlyOptions,
): AsyncGenerator<Buffer> {
  const { size, skip = 0, what, onBytes, translate = (error) => error } = options;
  let sum = 0;
  try {
    for await (const chunk of source) {
      const skipped = Math.min(chunk.length, Math.max(0, skip - sum));
      sum += chunk.length;
      if (sum > size) throw wrongSize(what, size, 'has more');
      onBytes?.(sum);
      if (skipped < chunk.length) yield skipped === 0 ? chunk : chunk.subarray(skipped);
    }
    if (sum < size) throw wrongSize(what, size, `ended after ${sum}`);
  } catch (error) {
    throw translate(error);
  }
}
