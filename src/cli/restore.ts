import { WorkflowFailedError } from '@temporalio/client';
import type { Command } from 'commander';
import { FactoryError } from '../common/errors.js';
import { splitList } from '../config/environment-schema.js';
import type { RestoreInput } from '../contract/input.js';
import { WORKFLOW } from '../contract/names.js';
import type { AccountOutcome } from '../contract/outcome.js';
import { INFRAS, type Infra } from '../contract/run.js';
import { withTemporal } from './connection.js';
import { CliExit, workflowEnd } from './exit.js';
import { resultUnlessInterrupted } from './interrupt.js';
import { assertInput, startOrJoin } from './start.js';
import { processTerminal } from './terminal.js';
import { missingWorkerHint } from './workers.js';

/** Temporal's run ids are UUIDs. */
const RUN_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** `image-factory restore`: puts the account's images back as they were before a run. */
export function addRestoreCommand(program: Command): void {
  program
    .command('restore')
    .description('put the account’s images back as they were before a run')
    .argument('<run-id>', 'the run, as its report names it')
    .option('--infra <list>', `which of the account’s image sets: any of ${INFRAS.join(',')}`, splitList, [
      'K8',
    ])
    .option('--harness-url <url>', 'Harness’s address')
    .option('--harness-api-key-secret <name>', 'where the worker finds the API key')
    .option('--json', 'print the result as JSON')
    .action(
      async (
        runId: string,
        options: { infra: Infra[]; harnessUrl?: string; harnessApiKeySecret?: string; json?: boolean },
      ) => {
        const { json, ...rest } = options;
        // Not echoed: whatever else was put there would be in the workflow's id.
        if (!RUN_ID.test(runId))
          throw new FactoryError('InvalidInput', 'the run’s id is wanted, as its report has it');
        assertInput(rest);
        const input: RestoreInput = { runId, ...rest };
        const terminal = processTerminal();
        await withTemporal(async (temporal) => {
          const handle = await startOrJoin(
            temporal,
            {
              type: WORKFLOW.restoreHarness,
              workflowId: `restore-harness/${runId}`,
              summary: `undo run ${runId}`,
              input: { ...input },
            },
            terminal,
          );
          const hint = await missingWorkerHint(temporal);
          if (hint) terminal.error(hint);
          try {
            const outcomes = await resultUnlessInterrupted<AccountOutcome[]>(temporal.client, handle);
            if (json) return terminal.json(outcomes);
            for (const { infra, kind, reason } of outcomes) terminal.line(`${infra}: ${kind}: ${reason}`);
          } catch (error) {
            if (!(error instanceof WorkflowFailedError)) throw error;
            const { code, type, message } = workflowEnd(error);
            throw new CliExit(code, `${type}: ${message}`);
          }
        });
      },
    );
}
