/** Large pieces cost half of what pieces of 64 KiB do, to write and to read (measured). */
export const PIECE_BYTES = 1024 * 1024;

/** So many are kept; more than that are in use only when many transfers wait for their disk or registry. */
const MAX_KEPT = 24;

const kept: Buffer[] = [];

/**
 * A buffer of at most {@link PIECE_BYTES}. Full ones are those that were given back, as long as there are any: new ones
 * would be V8's to collect.
 */
export const lendBuffer = (length: number): Buffer =>
  length < PIECE_BYTES ? Buffer.allocUnsafe(length) : (kept.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES));

/** Takes back what was lent; nobody may look at it any more. */
export function returnBuffer(buffer: Buffer | undefined): void {
  if (buffer?.length === PIECE_BYTES && kept.length < MAX_KEPT) kept.push(buffer);
}
