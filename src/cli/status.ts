import { WorkflowFailedError, type WorkflowHandle, WorkflowNotFoundError } from '@temporalio/client';
import type { Command } from 'commander';
import { imageCount } from '../common/count.js';
import { DEFAULT_WORKFLOW_ID } from '../contract/names.js';
import { FAILING_OUTCOMES, type ImageEnd } from '../contract/outcome.js';
import type { RunProgress } from '../contract/progress.js';
import { factorySchedules, skippedNights } from '../temporal/schedules.js';
import { type TemporalClient, withTemporal } from './connection.js';
import { printRun } from './ending.js';
import { CliExit, EXIT, workflowEnd } from './exit.js';
import { LOOK } from './look.js';
import { retriesOf } from './pending.js';
import { progressOf } from './progress-of.js';
import { self } from './self.js';
import { hanging, processTerminal, type Terminal, table } from './terminal.js';
import { countWorkers } from './workers.js';

/** `image-factory status`: one look at a run, going or ended. */
export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .description('show where a run is')
    .option('--workflow-id <id>', 'the run’s workflow id', DEFAULT_WORKFLOW_ID)
    .option('--json', 'print it as JSON')
    .action(async ({ workflowId, json }: { workflowId: string; json?: boolean }) => {
      const terminal = processTerminal();
      await withTemporal(async (temporal) => {
        const { client } = temporal;
        const skipped = await skippedLines(temporal);
        const handle = client.workflow.getHandle(workflowId);
        const { status, startTime, closeTime, runId } = await handle.describe().catch((error: unknown) => {
          if (!(error instanceof WorkflowNotFoundError)) throw error;
          throw new CliExit(
            EXIT.badInput,
            [
              `there is no run under the id ${workflowId}: start one with ${self()} run, or name one of a schedule`,
              ...skipped,
            ].join('\n'),
          );
        });
        // Without a worker the description is all there is.
        const hasWorker = (await countWorkers(temporal)) > 0;
        const progress = hasWorker ? await progressOf(client, handle) : null;
        const retries = status.name === 'RUNNING' ? await retriesOf(handle) : [];
        if (json) {
          return terminal.json({
            workflowId,
            runId,
            status: status.name,
            startTime,
            closeTime: closeTime ?? null,
            progress,
            retries,
            skipped,
          });
        }
        terminal.line(
          `${workflowId}: ${status.name.toLowerCase()}, started ${startTime.toISOString()}${closeTime ? `, ended ${closeTime.toISOString()}` : ''}`,
        );
        terminal.line(`run ${runId}`);
        for (const { activity, attempt, message } of retries)
          terminal.line(terminal.paint('yellow', `! ${activity}, attempt ${attempt} follows: ${message}`));
        for (const line of skipped) terminal.line(terminal.paint('yellow', `! ${line}`));
        const failure = status.name === 'FAILED' ? await failureOf(handle) : undefined;
        if (failure !== undefined)
          for (const line of hanging('✗ ', failure, terminal.columns))
            terminal.line(terminal.paint('red', line));
        if (progress === null) {
          if (!hasWorker) terminal.line('no worker answers: start one for more (npm run worker)');
          return;
        }
        printProgress(progress, terminal);
      });
    });
}

/** At one glance: images that need a person, those in work, those that something was done to; then how the run ended. */
function printProgress({ phase, images, running, finished, result }: RunProgress, terminal: Terminal): void {
  terminal.line(`${phase}: ${finished.length} of ${imageCount(images)} done`);
  const bad = ({ kind }: ImageEnd): boolean => FAILING_OUTCOMES.includes(kind);
  const end = ({ image, kind, note }: ImageEnd): string[] => {
    const { mark, colour } = LOOK[kind];
    return [terminal.paint(colour, `${mark} ${image}`), terminal.paint(colour, kind), note];
  };
  const rows = [
    ...finished.filter(bad).map(end),
    ...running.map(({ image }) => [`▸ ${image}`, 'in work', '']),
    ...finished.filter((one) => !bad(one) && one.kind !== 'unchanged').map(end),
  ];
  for (const line of table(rows, terminal.columns)) terminal.line(line);
  const same = finished.filter(({ kind }) => kind === 'unchanged').length;
  if (same > 0)
    terminal.line(
      terminal.paint('dim', `= ${same} image${same === 1 ? '' : 's'} unchanged: already as they should be`),
    );
  if (result !== undefined) printRun(result, terminal, { told: true });
}

/** Why a workflow failed, in its own words; they name the report where there is one. */
async function failureOf(handle: WorkflowHandle): Promise<string | undefined> {
  try {
    await handle.result();
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) return undefined;
    const { type, message } = workflowEnd(error);
    return `${type}: ${message}`;
  }
  return undefined;
}

/** Nights of the last week without a run, a line for each schedule; nothing where schedules can't be listed. */
async function skippedLines({ client, taskQueue }: TemporalClient): Promise<string[]> {
  const lines: string[] = [];
  try {
    for (const description of await factorySchedules(client, taskQueue)) {
      const { nights } = await skippedNights(client, description);
      const [first] = nights;
      if (first === undefined) continue;
      const { scheduleId } = description;
      lines.push(
        `${scheduleId} started nothing at ${nights.length === 1 ? first.toISOString() : `${nights.length} times since ${first.toISOString()}`}: see ${self()} schedule show --schedule-id ${scheduleId}`,
      );
    }
  } catch {
    return []; // the run itself is what was asked for
  }
  return lines;
}
