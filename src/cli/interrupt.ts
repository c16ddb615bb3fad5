import { setMaxListeners } from 'node:events';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { CliExit, EXIT } from './exit.js';
import { self } from './self.js';

/** Waits for a plan. Ctrl-C cancels it: nobody needs a plan that nobody waits for. @throws CliExit 130 on SIGINT */
export async function resultUnlessCancelled<T>(client: Client, handle: WorkflowHandle): Promise<T> {
  try {
    return await resultUnlessInterrupted(client, handle);
  } catch (error) {
    if (!(error instanceof CliExit)) throw error;
    await handle.cancel().catch(() => undefined); // it may have ended in this moment
    throw new CliExit(error.code, 'the plan was cancelled');
  }
}

/**
 * Waits for a workflow's result. Ctrl-C ends the wait and not the workflow, and says so; a second Ctrl-C ends the
 * process as usual.
 *
 * @throws CliExit 130, as shells have it, on SIGINT
 * @throws WorkflowFailedError as the workflow did
 */
export async function resultUnlessInterrupted<T>(client: Client, handle: WorkflowHandle): Promise<T> {
  const stop = abortableCalls();
  const onSignal = (): void => stop.abort(new CliExit(EXIT.interrupted, goesOn(handle.workflowId)));
  process.once('SIGINT', onSignal);
  try {
    // The wait is a long poll: only abandoned, it would keep this process for another 20 s (measured).
    return await client.withAbortSignal(stop.signal, () => handle.result());
  } catch (error) {
    stop.signal.throwIfAborted();
    throw error;
  } finally {
    process.off('SIGINT', onSignal);
  }
}

/** For `withAbortSignal`: the SDK (1.24) adds a listener for each call and removes none, and Node warns from 11 on. */
export function abortableCalls(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

const goesOn = (workflowId: string): string => `
${workflowId} goes on without this command.
look at it:   ${self()} status --workflow-id ${workflowId}
cancel it:    temporal workflow cancel --workflow-id ${workflowId}`;
