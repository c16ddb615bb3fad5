/**
 * What each of them came to, in their order. Unlike `Promise.all` it waits for every one, so that none goes on behind the
 * caller's back, and of several faults it names the first in order, whichever came first: the same every time.
 * @throws what the first in order that failed was rejected with
 */
export async function inOrder<T extends readonly unknown[]>(
  work: readonly [...{ [K in keyof T]: Promise<T[K]> }],
): Promise<T> {
  const ends = await Promise.allSettled(work);
  const values = ends.map((end): unknown => {
    if (end.status === 'rejected') throw end.reason;
    return end.value;
  });
  return values as readonly unknown[] as T; // one for each, in the same order
}
