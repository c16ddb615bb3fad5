import {
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import type { Command } from 'commander';
import { FactoryError, messageOf } from '../common/errors.js';
import { DEFAULT_WORKFLOW_ID, WORKFLOW } from '../contract/names.js';
import { MAX_CONCURRENCY, type SteeringState, UPDATE } from '../contract/steering.js';
import { type TemporalClient, withTemporal } from './connection.js';
import { CliExit, EXIT } from './exit.js';
import { self } from './self.js';
import { processTerminal } from './terminal.js';
import { missingWorkerHint } from './workers.js';

/** A worker answers an update at its next workflow task. */
const ANSWER_WITHIN_MS = 15_000;
/** As many as a sentence can name. */
const NAMED_MAX = 3;

interface SteerOptions {
  workflowId: string;
  json?: boolean;
}

/** `image-factory pause`, `resume` and `concurrency`: change a run while it goes. */
export function addSteerCommands(program: Command): void {
  const add = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .option('--workflow-id <id>', 'the run’s workflow id', DEFAULT_WORKFLOW_ID)
      .option('--json', 'print the new state as JSON');
  add('pause', 'let what is in work end, and start nothing new').action((options: SteerOptions) =>
    steer(options, UPDATE.pause),
  );
  add('resume', 'go on after a pause').action((options: SteerOptions) => steer(options, UPDATE.resume));
  add('concurrency', 'change how many images are in work at once')
    .argument('<n>', `from 1 to ${MAX_CONCURRENCY}`)
    .action((text: string, options: SteerOptions) => {
      const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
      if (limit < 1 || limit > MAX_CONCURRENCY) {
        throw new FactoryError(
          'InvalidInput',
          `concurrency takes a whole number from 1 to ${MAX_CONCURRENCY}`,
        );
      }
      return steer(options, UPDATE.setConcurrency, limit);
    });
}

async function steer(
  { workflowId, json }: SteerOptions,
  update: (typeof UPDATE)[keyof typeof UPDATE],
  limit?: number,
): Promise<void> {
  const terminal = processTerminal();
  await withTemporal(async (temporal) => {
    const state = await execute(temporal, workflowId, update, limit);
    if (json) terminal.json(state);
    else terminal.line(`${workflowId}: ${sentence(state)}`);
  });
}

/** @throws CliExit 2 when there is nothing to steer or the run refuses; 3 when nobody answers */
async function execute(
  temporal: TemporalClient,
  workflowId: string,
  update: string,
  limit?: number,
): Promise<SteeringState> {
  const { client } = temporal;
  const handle = client.workflow.getHandle(workflowId);
  const { status } = await handle.describe().catch(async (error: unknown) => {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    throw new CliExit(EXIT.badInput, `there is no run under the id ${workflowId}${await going(temporal)}`);
  });
  if (status.name !== 'RUNNING') throw await ended(temporal, workflowId);
  // An update waits for a worker, and would still be carried out long after this command gave up.
  const hint = await missingWorkerHint(temporal);
  if (hint) throw new CliExit(EXIT.unreachable, hint);
  try {
    return await client.withDeadline(Date.now() + ANSWER_WITHIN_MS, () =>
      limit === undefined
        ? handle.executeUpdate<SteeringState, []>(update)
        : handle.executeUpdate<SteeringState, [number]>(update, { args: [limit] }),
    );
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw await ended(temporal, workflowId);
    if (error instanceof WorkflowUpdateFailedError) {
      throw new CliExit(EXIT.badInput, `${workflowId} refuses: ${messageOf(error.cause)}`);
    }
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) {
      throw new CliExit(
        EXIT.unreachable,
        `no worker answered for ${workflowId} within ${ANSWER_WITHIN_MS / 1000} s; the change may still come: look with ${self()} status --workflow-id ${workflowId}`,
      );
    }
    throw error;
  }
}

async function ended(temporal: TemporalClient, workflowId: string): Promise<CliExit> {
  return new CliExit(EXIT.badInput, `the run ${workflowId} has ended already${await going(temporal)}`);
}

/** Which runs could have been meant: those of a schedule have the time in their id. */
async function going({ client, taskQueue }: TemporalClient): Promise<string> {
  const ids: string[] = [];
  const query = `WorkflowType = '${WORKFLOW.imageFactory}' AND ExecutionStatus = 'Running' AND TaskQueue = '${taskQueue}'`;
  try {
    for await (const { workflowId } of client.workflow.list({ query, pageSize: NAMED_MAX })) {
      ids.push(workflowId);
      if (ids.length === NAMED_MAX) break;
    }
  } catch {
    return ''; // a help, and no more than that
  }
  return ids.length > 0
    ? `; going now (name it with --workflow-id): ${ids.join(', ')}`
    : ', and none is going';
}

function sentence({ paused, maxConcurrency, running }: SteeringState): string {
  const inWork = running === 1 ? '1 image is in work' : `${running} images are in work`;
  const bound = `at most ${maxConcurrency} at once`;
  return paused
    ? `paused, nothing new starts; ${inWork} (${bound} after resume)`
    : `going, ${bound}; ${inWork}`;
}
