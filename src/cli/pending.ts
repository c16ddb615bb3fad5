import type { WorkflowHandle } from '@temporalio/client';

/** A step that failed and is tried again: what a person who waits wants to know. */
export interface Retry {
  activity: string;
  /** The attempt that comes next or is under way. */
  attempt: number;
  message: string;
}

/** The steps of one workflow that are being retried, by the server's word: no worker is needed to ask. */
export async function retriesOf(handle: WorkflowHandle): Promise<Retry[]> {
  const { raw } = await handle.describe();
  return retriesAmong(raw.pendingActivities ?? []);
}

type Pending = NonNullable<Awaited<ReturnType<WorkflowHandle['describe']>>['raw']['pendingActivities']>;

/** Those of a description's pending activities that failed before. */
export const retriesAmong = (pending: Pending): Retry[] =>
  pending.flatMap(({ activityType, attempt, lastFailure }) =>
    lastFailure?.message
      ? [{ activity: activityType?.name ?? 'a step', attempt: attempt ?? 0, message: lastFailure.message }]
      : [],
  );
