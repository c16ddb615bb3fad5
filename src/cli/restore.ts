import { WorkflowFailedError } from '@temporalio/client';
import type { Command } from 'commander';
import { FactoryError } from '../common/errors.js';
import { splitList } from '../config/environment-schema.js';
import { parseRestoreInput } from '../config/restore-input.js';
import { restoreHarnessId, WORKFLOW } from '../contract/names.js';
import type { AccountOutcome } from '../contract/outcome.js';
import { INFRAS, type Infra } from '../contract/run.js';
import { withTemporal } from './connection.js';
import { CliExit, workflowEnd } from './exit.js';
import { resultUnlessInterrupted } from './interrupt.js';
import { startOrJoin } from './start.js';
import { processTerminal } from './terminal.js';
import { missingWorkerHint } from './workers.js';

/** `image-factory restore`: puts the account's images back as they were before a run. */
export function addRestoreCommand(program: Command): void {
  program
    .command('restore')
    .description('put the account’s images back as they were before a run')
    .argument('<run-id>', 'the run, as its report names it')
    .option(
      '--infra <list>',
      `which of the account’s image sets: one or more of ${INFRAS.join(',')}`,
      splitList,
      ['K8'],
    )
    .option('--harness-url <url>', 'Harness’s address')
    .option('--harness-api-key-secret <name>', 'where the worker finds the API key')
    .option('--json', 'print the result as JSON')
    .action(
      async (
        runId: string,
        options: { infra: Infra[]; harnessUrl?: string; harnessApiKeySecret?: string; json?: boolean },
      ) => {
        const { json, ...rest } = options;
        // Before anything is started, and not echoed: the run id becomes part of the workflow's id.
        const reading = parseRestoreInput({ runId, ...rest });
        if (!reading.ok) throw new FactoryError('InvalidInput', reading.faults.join('\n'));
        const { input } = reading;
        const terminal = processTerminal();
        await withTemporal(async (temporal) => {
          const handle = await startOrJoin(
            temporal,
            {
              type: WORKFLOW.restoreHarness,
              workflowId: restoreHarnessId(runId),
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
