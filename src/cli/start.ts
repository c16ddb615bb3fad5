import { isDeepStrictEqual } from 'node:util';
import { type Client, WorkflowExecutionAlreadyStartedError, type WorkflowHandle } from '@temporalio/client';
import { defaultDataConverter } from '@temporalio/common';
import { FactoryError } from '../common/errors.js';
import { checkInput } from '../config/input.js';
import type { TemporalClient } from './connection.js';
import { CliExit, EXIT } from './exit.js';
import { self } from './self.js';
import type { Terminal } from './terminal.js';

export interface StartOptions {
  /** The workflow type. */
  type: string;
  workflowId: string;
  summary: string;
  input: Record<string, unknown>;
}

/** Refuses what no worker could take, before anything is started. @throws FactoryError naming every fault, no value. */
export function assertInput(input: unknown): void {
  const reading = checkInput(input);
  if (!reading.ok) throw new FactoryError('InvalidInput', reading.faults.join('\n'));
}

/**
 * Starts a workflow, or joins the one that is going under its id with the same input.
 *
 * @throws CliExit 2 when that one was started with another input.
 */
export async function startOrJoin(
  { client, taskQueue }: TemporalClient,
  { type, workflowId, summary, input }: StartOptions,
  terminal: Terminal,
): Promise<WorkflowHandle> {
  try {
    return await client.workflow.start(type, {
      workflowId,
      taskQueue,
      args: [input],
      staticSummary: summary,
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
  const handle = client.workflow.getHandle(workflowId);
  const { runId } = await handle.describe();
  if (!isDeepStrictEqual(await startedWith(client, workflowId, runId), input)) {
    throw new CliExit(
      EXIT.badInput,
      `a run is going under the id ${workflowId} with another input: wait for it (${self()} status), or give this one its own --workflow-id`,
    );
  }
  terminal.error(`joined the run that is going under the id ${workflowId}`);
  return client.workflow.getHandle(workflowId, runId);
}

/** The input that a workflow was started with, whoever started it. */
async function startedWith(client: Client, workflowId: string, runId: string): Promise<unknown> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId, runId },
    maximumPageSize: 1,
  });
  const payload = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
  return payload ? defaultDataConverter.payloadConverter.fromPayload(payload) : {};
}
