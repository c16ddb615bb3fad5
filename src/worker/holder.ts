import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { HolderState } from '../contract/activities.js';

/** Below the activity's own limit, so that a holder that won't go is an answer and not a time-out. */
const MAX_WAIT_MS = 4 * 60_000;

/**
 * Who holds a workflow id. A holder whose parent is closed is on its way out (its parent asked it to cancel when it
 * ended, or was terminated): its end is awaited. A holder with a live parent, or with none, is left alone, unless the
 * one who asks is patient.
 */
export async function awaitHolder(
  client: Client,
  workflowId: string,
  { patient, signal }: { patient: boolean; signal: AbortSignal },
): Promise<HolderState> {
  const free: HolderState = { state: 'free', holder: '' };
  const found = await describe(client, workflowId);
  if (found === undefined || found.status.name !== 'RUNNING') return free;
  const parent = found.raw.workflowExecutionInfo?.parentExecution;
  const holder = parent?.workflowId ? `run ${parent.workflowId}` : `workflow ${workflowId}`;
  const left = parent?.workflowId
    ? (await describe(client, parent.workflowId, parent.runId ?? undefined))?.status.name !== 'RUNNING'
    : false;
  if (!left && !patient) return { state: 'held', holder };
  const limit = AbortSignal.any([signal, AbortSignal.timeout(MAX_WAIT_MS)]);
  // Whatever its end is: it is no longer in the way.
  await client
    .withAbortSignal(limit, () => client.workflow.result(workflowId, found.runId))
    .catch(() => undefined);
  signal.throwIfAborted();
  if (!limit.aborted) return free;
  return { state: 'held', holder: left ? `${holder}, which ended but left it behind` : holder };
}

async function describe(client: Client, workflowId: string, runId?: string) {
  try {
    return await client.workflow.getHandle(workflowId, runId).describe();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
