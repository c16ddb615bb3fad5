import { WorkflowNotFoundError } from '@temporalio/client';
import type { Command } from 'commander';
import { DEFAULT_WORKFLOW_ID, WORKFLOW } from '../contract/names.js';
import { withTemporal } from './connection.js';
import { CliExit, EXIT } from './exit.js';
import { attend } from './run.js';
import { self } from './self.js';
import { processTerminal } from './terminal.js';
import { missingWorkerHint } from './workers.js';

/** `image-factory watch`: shows a run that somebody started, and ends as it ends; Ctrl-C leaves it going. */
export function addWatchCommand(program: Command): void {
  program
    .command('watch')
    .description('show a run that is going as a live table, and wait for the end')
    .option('--workflow-id <id>', 'the run’s workflow id', DEFAULT_WORKFLOW_ID)
    .action(async ({ workflowId }: { workflowId: string }) => {
      const terminal = processTerminal();
      await withTemporal(async (temporal) => {
        const handle = temporal.client.workflow.getHandle(workflowId);
        const { type, status, runId } = await handle.describe().catch((error: unknown) => {
          if (!(error instanceof WorkflowNotFoundError)) throw error;
          throw new CliExit(
            EXIT.badInput,
            `there is no run under the id ${workflowId}: start one with ${self()} run, or name one of a schedule`,
          );
        });
        if (type !== WORKFLOW.imageFactory)
          throw new CliExit(EXIT.badInput, `${workflowId} is no run, but a workflow of type ${type}`);
        const hint = status.name === 'RUNNING' ? await missingWorkerHint(temporal) : undefined;
        if (hint) terminal.error(hint);
        // By its run id: the next run under the same id is another one.
        await attend(temporal, temporal.client.workflow.getHandle(workflowId, runId), 'table', terminal);
      });
    });
}
