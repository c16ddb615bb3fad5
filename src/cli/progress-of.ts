import type { Client, WorkflowHandle } from '@temporalio/client';
import { PROGRESS_QUERY } from '../contract/names.js';
import type { RunProgress } from '../contract/progress.js';

/** Left alone, the SDK tries for half a minute. */
const ANSWER_WITHIN_MS = 10_000;

/** Where a run is, or how it ended: a worker answers, also for runs that ended. Null where none does. */
export const progressOf = (client: Client, handle: WorkflowHandle): Promise<RunProgress | null> =>
  client
    .withDeadline(Date.now() + ANSWER_WITHIN_MS, () => handle.query<RunProgress>(PROGRESS_QUERY))
    .catch(() => null);
