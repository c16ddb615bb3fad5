import { join } from 'node:path';
import { Client, Connection, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { DEFAULT_TASK_QUEUE, DEFAULT_WORKFLOW_ID, PROGRESS_QUERY, WORKFLOW } from '../../contract/names.js';
import { FAILING_OUTCOMES, type OutcomeKind, type RunResult } from '../../contract/outcome.js';
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

/** What a person may want of a demo's run afterwards. */
export interface StoryEnd {
  runId: string;
  /** The HTML report on this machine. */
  report: string;
}

/** One run, shown as it happens, and whether it ended as the fleet was made to end. */
export async function story(world: World, signal: AbortSignal, terminal: Terminal): Promise<StoryEnd> {
  const connection = await Connection.connect({ address: world.temporal.address });
  try {
    const client = new Client({ connection, namespace: world.temporal.namespace });
    const temporal = { client, taskQueue: DEFAULT_TASK_QUEUE, close: () => connection.close() };
    const handle = await startOrJoin(
      temporal,
      { type: WORKFLOW.imageFactory, workflowId: DEFAULT_WORKFLOW_ID, summary: 'demo', input: world.input },
      terminal,
    );
    // A long poll that outlives its connection would be tried again, and throw where nobody can catch it.
    const ended: Promise<unknown> = client.withAbortSignal(signal, () => handle.result());
    ended.catch(() => undefined); // looked at below
    await show(temporal, handle, terminal, Promise.race([ended, rejection(signal)]), signal);
    signal.throwIfAborted();
    const result = await resultOf(ended);
    printResult(result, false, terminal, true);
    const report = await openableReport(world, result, signal);
    if (world.s3 !== undefined) terminal.line(`to open: ${report}`);
    await judge(world, handle, terminal);
    return { runId: result.runId, report };
  } finally {
    await connection.close();
  }
}

/** The live table on a terminal, and what it showed of bad ends; elsewhere a line for each image, none for its steps. */
async function show(
  temporal: TemporalClient,
  handle: WorkflowHandle,
  terminal: Terminal,
  ended: Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  const printer = new ProgressPrinter(terminal);
  const print = async (wanted: (kind: OutcomeKind) => boolean): Promise<void> => {
    const run = await handle.query<RunProgress>(PROGRESS_QUERY);
    const finished = run.finished
      .filter(({ kind }) => wanted(kind))
      .map((image) => ({ ...image, steps: [] }));
    printer.show({ ...run, finished }, []);
  };
  if (!canRedraw(process.stdout, process.env)) {
    await untilEnded(temporal.client, ended, () => print(() => true));
    return;
  }
  // Forty good ends need no line each: its last picture goes with it.
  await showLive(temporal, handle, { ...terminal, line: () => undefined }, ended);
  if (!signal.aborted) await print((kind) => FAILING_OUTCOMES.includes(kind));
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

/** Where a browser finds the report; out of a bucket it is copied first, with all that it links to. */
async function openableReport(
  { s3, reportDir }: World,
  { runId, report }: RunResult,
  signal: AbortSignal,
): Promise<string> {
  if (s3 === undefined) return report?.html ?? reportDir;
  const [{ copyBucket }, { BUCKET }] = await Promise.all([
    import('../../demo/bucket-copy.js'),
    import('../../demo/world.js'),
  ]);
  await copyBucket(s3, BUCKET, reportDir, signal);
  return join(reportDir, 'runs', runId, 'report.html');
}

async function judge(world: World, handle: WorkflowHandle, terminal: Terminal): Promise<void> {
  const { surprises } = await import('../../demo/verdicts.js');
  const { finished } = await handle.query<RunProgress>(PROGRESS_QUERY);
  const odd = surprises(world.fleet, finished);
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
