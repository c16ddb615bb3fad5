import { type TestContext, test } from 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    /** A row of the matrix in docs/reliability.md. */
    fault?: { area: string; fault: string; ends: string };
  }
}

/** What a test saw, in a few words, for the matrix. */
type Ends = string;

/**
 * A test that is a row of the fault matrix.
 *
 * @param area where the fault is: a heading of the matrix
 * @param fault what goes wrong
 * @param body returns how it ended, for the matrix
 */
export function faultCase(
  area: string,
  fault: string,
  body: (context: TestContext) => Promise<Ends>,
  timeoutMs = 300_000,
): void {
  test(`${area}: ${fault}`, { timeout: timeoutMs }, async (context) => {
    context.task.meta.fault = { area, fault, ends: 'did not end as it should' };
    const ends = await body(context);
    context.task.meta.fault = { area, fault, ends };
  });
}
