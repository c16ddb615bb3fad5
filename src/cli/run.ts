import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { type Command, Option } from 'commander';
import { DEFAULT_WORKFLOW_ID, WORKFLOW } from '../contract/names.js';
import type { RunResult } from '../contract/outcome.js';
import type { PlanResult } from '../contract/plan.js';
import { type TemporalClient, withTemporal } from './connection.js';
import { printRun } from './ending.js';
import { CliExit, EXIT, workflowEnd } from './exit.js';
import { follow } from './follow.js';
import { addInputFlags, inputFromFlags } from './input-flags.js';
import { resultUnlessInterrupted } from './interrupt.js';
import { printPlan } from './plan-table.js';
import { progressOf } from './progress-of.js';
import { self } from './self.js';
import { assertInput, startOrJoin } from './start.js';
import { processTerminal, type Terminal } from './terminal.js';
import { showLive } from './watch/show.js';
import { missingWorkerHint } from './workers.js';

/** `image-factory run`: starts a run (or joins the one that is going), shows it, and ends as it ends. */
export function addRunCommand(program: Command): void {
  const command = program
    .command('run')
    .description('mirror the images that the account runs, and wait for the end')
    .option('--workflow-id <id>', 'the run’s workflow id', DEFAULT_WORKFLOW_ID)
    .option('--detach', 'start only')
    .addOption(new Option('--watch', 'a live table, on a terminal').conflicts(['json', 'detach']))
    .option('--json', 'print the result as JSON')
    .option('--dry-run', 'plan only');
  addInputFlags(command).action(async (options: RunOptions) => {
    const input = inputFromFlags(command, ['watch']);
    assertInput(input);
    await withTemporal((temporal) => run(temporal, input, options, processTerminal()));
  });
}

interface RunOptions {
  workflowId: string;
  detach?: boolean;
  json?: boolean;
  watch?: boolean;
}

async function run(
  temporal: TemporalClient,
  input: Record<string, unknown>,
  { workflowId, detach, json, watch }: RunOptions,
  terminal: Terminal,
): Promise<void> {
  const handle = await startOrJoin(
    temporal,
    { type: WORKFLOW.imageFactory, workflowId, summary: 'mirror the CI images', input },
    terminal,
  );
  const hint = await missingWorkerHint(temporal);
  if (hint) terminal.error(hint);
  if (detach) {
    const { runId } = await handle.describe();
    if (json) terminal.json({ workflowId, runId });
    else
      terminal.line(
        `started ${workflowId}, run ${runId}; look at it with: ${self()} status --workflow-id ${workflowId}`,
      );
    return;
  }
  await attend(temporal, handle, json ? 'json' : watch ? 'table' : 'lines', terminal);
}

/** Shows a run until its end, prints its result, and throws what the exit code is made of. */
export async function attend(
  temporal: TemporalClient,
  handle: WorkflowHandle,
  how: 'lines' | 'table' | 'json',
  terminal: Terminal,
): Promise<void> {
  const ended = resultUnlessInterrupted<RunResult | PlanResult>(temporal.client, handle);
  ended.catch(() => undefined); // looked at below
  const json = how === 'json';
  const told = how === 'table'; // its last picture lists them right above
  if (how === 'lines') await follow(temporal, handle, terminal, ended);
  if (how === 'table') await showLive(temporal, handle, terminal, ended);
  try {
    printResult(await ended, json, terminal, told);
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const end = workflowEnd(error);
    // A workflow of ours gives its result as the first detail of its failure; a cancellation can't carry one.
    const result =
      (end.details as RunResult | undefined) ?? (await progressOf(temporal.client, handle))?.result;
    if (result !== undefined) printResult(result, json, terminal, told);
    throw new CliExit(end.code, `${end.type}: ${end.message}`);
  }
}

/**
 * A run’s or plan’s result for people, or as JSON.
 *
 * @param told the images that need a person have just been listed
 * @throws CliExit 1 for a plan with images that can't be resolved
 */
export function printResult(
  result: RunResult | PlanResult,
  json: boolean,
  terminal: Terminal,
  told = false,
): void {
  if (json) terminal.json(result);
  else if (result.kind === 'plan') printPlan(result, terminal);
  else printRun(result, terminal, { told });
  if (result.kind === 'plan' && result.counts.unresolved > 0) throw new CliExit(EXIT.imagesFailed);
}
