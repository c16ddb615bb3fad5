import { randomUUID } from 'node:crypto';
import { WorkflowFailedError } from '@temporalio/client';
import type { Command } from 'commander';
import { WORKFLOW } from '../contract/names.js';
import type { PlanResult } from '../contract/plan.js';
import { withTemporal } from './connection.js';
import { CliExit, workflowEnd } from './exit.js';
import { followPlan } from './follow.js';
import { addInputFlags, inputFromFlags } from './input-flags.js';
import { resultUnlessCancelled } from './interrupt.js';
import { printResult } from './run.js';
import { assertInput, startOrJoin } from './start.js';
import { processTerminal } from './terminal.js';
import { missingWorkerHint } from './workers.js';

/** `image-factory plan`: what a run would do now. */
export function addPlanCommand(program: Command): void {
  const command = program
    .command('plan')
    .description('show what a run would do; changes nothing')
    .option('--workflow-id <id>', 'the plan’s workflow id')
    .option('--json', 'print the plan as JSON');
  addInputFlags(command).action(async ({ workflowId, json }: { workflowId?: string; json?: boolean }) => {
    const input = inputFromFlags(command);
    assertInput(input);
    const terminal = processTerminal();
    const plan = await withTemporal(async (temporal) => {
      const id = workflowId ?? `image-factory-plan-${randomUUID()}`;
      const handle = await startOrJoin(
        temporal,
        { type: WORKFLOW.planImages, workflowId: id, summary: 'plan only', input },
        terminal,
      );
      const hint = await missingWorkerHint(temporal);
      if (hint) terminal.error(hint);
      const ended = resultUnlessCancelled<PlanResult>(temporal.client, handle);
      ended.catch(() => undefined); // looked at below
      await followPlan(temporal, handle, terminal, ended);
      try {
        return await ended;
      } catch (error) {
        if (!(error instanceof WorkflowFailedError)) throw error;
        const { code, type, message } = workflowEnd(error);
        throw new CliExit(code, `${type}: ${message}`);
      }
    });
    printResult(plan, json === true, terminal);
  });
}
