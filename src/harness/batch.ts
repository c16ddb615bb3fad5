import { HarnessFieldRejected } from './errors.js';

export interface Rejection<T> {
  entry: T;
  reason: string;
}

/**
 * Sends entries in one batch. A batch is all or nothing, so a rejected field is dropped and the rest sent again: at most
 * one more post than there are entries.
 *
 * @returns what Harness rejected; everything else was accepted.
 */
export async function sendBatch<T extends { field: string }>(
  entries: readonly T[],
  send: (batch: readonly T[]) => Promise<void>,
): Promise<Rejection<T>[]> {
  let batch = entries;
  const rejected: Rejection<T>[] = [];
  while (batch.length > 0) {
    try {
      await send(batch);
      break;
    } catch (error) {
      if (!(error instanceof HarnessFieldRejected)) throw error;
      const { field, message } = error;
      const rest = batch.filter((entry) => entry.field !== field);
      // It named a field that we did not send: the same post would be refused for ever.
      if (rest.length === batch.length) throw error;
      rejected.push(
        ...batch.filter((entry) => entry.field === field).map((entry) => ({ entry, reason: message })),
      );
      batch = rest;
    }
  }
  return rejected;
}
