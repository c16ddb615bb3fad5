import type { WorkflowHandle } from '@temporalio/client';
import { CliExit, EXIT } from './exit.js';

/**
 * Waits for something that a workflow does; Ctrl-C ends the wait and not the workflow, and says so. A second Ctrl-C ends
 * the process as usual.
 *
 * @throws CliExit 130, as shells have it, on SIGINT
 */
export async function untilInterrupted<T>(
  { workflowId }: Pick<WorkflowHandle, 'workflowId'>,
  waiting: Promise<T>,
): Promise<T> {
  let onSignal = (): void => {};
  const interrupted = new Promise<never>((_resolve, reject) => {
    onSignal = () => reject(new CliExit(EXIT.interrupted, goesOn(workflowId)));
  });
  process.once('SIGINT', onSignal);
  try {
    return await Promise.race([waiting, interrupted]);
  } finally {
    process.off('SIGINT', onSignal);
  }
}

const goesOn = (workflowId: string): string => `
${workflowId} goes on without this command.
look at it:   image-factory status --workflow-id ${workflowId}
cancel it:    temporal workflow cancel --workflow-id ${workflowId}`;
