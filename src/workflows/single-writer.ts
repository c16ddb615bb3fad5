import { type SearchAttributePair, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { ChildWorkflowCancellationType, ParentClosePolicy, startChild } from '@temporalio/workflow';
import { waiting } from './activities.js';

export type SingleWriterResult<T> = { kind: 'done'; result: T } | { kind: 'held'; holder: string };

/** How often an id may be taken again between our waiting for it and our starting. */
const MAX_ROUNDS = 5;

/**
 * Runs a child whose workflow id is a lock: whoever runs under it is the only writer of that image or account, whatever
 * run it belongs to. Where the id is taken, the holder decides: one that a closed parent left behind is waited for, one
 * of a live run is left alone. (Temporal's "already started" error tells only id and type.)
 *
 * @param options.patient waits for a live run's child too, as long as `awaitHolder` does: where its work is short
 */
export async function runSingleWriter<Task, Result>(
  workflow: (task: Task) => Promise<Result>,
  {
    patient = false,
    ...options
  }: {
    workflowId: string;
    staticSummary: string;
    args: [Task];
    typedSearchAttributes?: SearchAttributePair[];
    patient?: boolean;
  },
): Promise<SingleWriterResult<Result>> {
  let holder = 'another run';
  for (let round = 0; round < MAX_ROUNDS; round++) {
    try {
      const child = await startChild(workflow, {
        // The parent's end (also by termination) ends its children, and cancelling waits until they cleaned up.
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
        ...options,
      });
      return { kind: 'done', result: await child.result() };
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
    const state = await waiting.awaitHolder(options.workflowId, patient);
    if (state.holder !== '') holder = state.holder; // empty: it is gone, and a third one may have come
    if (state.state === 'held') break;
  }
  return { kind: 'held', holder };
}
