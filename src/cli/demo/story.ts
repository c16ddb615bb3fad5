import { Client, Connection, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { DEFAULT_TASK_QUEUE, DEFAULT_WORKFLOW_ID, PROGRESS_QUERY, WORKFLOW } from '../../contract/names.js';
import type { RunResult } from '../../contract/outcome.js';
import type { RunProgress } from '../../contract/progress.js';
import type { World } from '../../demo/world.js';
import type { TemporalClient } from '../connection.js';
import { CliExit, EXIT, workflowEnd } from '../exit.js';
import { ProgressPrinter, untilEnded } from '../follow.js';
import { printResult } from '../run.js';
import { startOrJoin } from '../start.js';
import { hanging, type Terminal } from '../terminal.js';
import { canRedraw } from '../watch/in-place.js';
import { showLive } from '../watch/show.js';

/** One run, shown as it happens, and whether it ended as the fleet was made to end. */
export async function story(world: World, signal: AbortSignal, terminal: Terminal): Promise<RunResult> {
  const connection = await Connection.connect({ address: world.temporal.address });
  try {
    const client = new Client({ connection, namespace: world.temporal.namespace });
    const temporal = { client, taskQueue: DEFAULT_TASK_QUEUE, close: () => connection.close() };
    const handle = await startOrJoin(
      temporal,
      { type: WORKFLOW.imageFactory, workflowId: DEFAULT_WORKFLOW_ID, summary: 'demo', input: world.input },
      terminal,
    );
    const ended: Promise<unknown> = handle.result();
    ended.catch(() => undefined); // looked at below
    await show(temporal, handle, terminal, Promise.race([ended, rejection(signal)]));
    signal.throwIfAborted();
    const result = await resultOf(ended);
    printResult(result, false, terminal);
    await printCopy(world, result, signal, terminal);
    await judge(world, handle, result.runId, terminal);
    return result;
  } finally {
    await connection.close();
  }
}

/** The live table on a terminal; elsewhere a line for each image when it has ended, and none for its steps. */
async function show(
  temporal: TemporalClient,
  handle: WorkflowHandle,
  terminal: Terminal,
  ended: Promise<unknown>,
): Promise<void> {
  if (canRedraw(process.stdout, process.env)) return showLive(temporal, handle, terminal, ended);
  const printer = new ProgressPrinter(terminal);
  await untilEnded(temporal.client, ended, async () => {
    const run = await handle.query<RunProgress>(PROGRESS_QUERY);
    printer.show({ ...run, finished: run.finished.map((image) => ({ ...image, steps: [] })) }, []);
  });
}

/** A demo run ends Failed, since some of its images are meant to be blocked; its result is in the failure. */
async function resultOf(ended: Promise<unknown>): Promise<RunResult> {
  try {
    return (await ended) as RunResult; // the result of our own workflow type
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { code, type, message, details } = workflowEnd(error);
    if (type !== 'ImagesFailed' || details === undefined) throw new CliExit(code, `${type}: ${message}`);
    return details as RunResult; // what imageFactory adds to its failure
  }
}

/** What is in a bucket is copied to where a browser can open it. */
async function printCopy(
  { s3, reportDir }: World,
  { runId }: RunResult,
  signal: AbortSignal,
  terminal: Terminal,
): Promise<void> {
  if (s3 === undefined) return;
  const [{ copyBucket }, { BUCKET }] = await Promise.all([
    import('../../demo/bucket-copy.js'),
    import('../../demo/world.js'),
  ]);
  await copyBucket(s3, BUCKET, reportDir, signal);
  terminal.line(`copy of the bucket, to open: ${reportDir}/runs/${runId}/report.html`);
}

async function judge(world: World, handle: WorkflowHandle, runId: string, terminal: Terminal): Promise<void> {
  const { surprises } = await import('../../demo/verdicts.js');
  const { finished } = await handle.query<RunProgress>(PROGRESS_QUERY);
  const odd = surprises(world.fleet, finished);
  const { ui, namespace } = world.temporal;
  terminal.line(`Web UI: ${ui}/namespaces/${namespace}/workflows/${handle.workflowId}/${runId}/history`);
  terminal.line();
  if (odd.length > 0)
    throw new CliExit(EXIT.imagesFailed, `the demo did not end as it should: ${odd.join('; ')}`);
  const say = (colour: 'green' | 'dim', text: string): void => {
    for (const line of hanging('', text, terminal.columns)) terminal.line(terminal.paint(colour, line));
  };
  say('green', 'As expected: what the policy forbids was blocked, everything else is mirrored and verified.');
  say('dim', 'A run that blocks an image ends Failed, so that nobody misses it.');
}

const rejection = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
  );
