import { once } from 'node:events';
import { resolve } from 'node:path';
import { Client, Connection, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import type { Command } from 'commander';
import { DEFAULT_TASK_QUEUE, DEFAULT_WORKFLOW_ID, PROGRESS_QUERY, WORKFLOW } from '../contract/names.js';
import type { RunResult } from '../contract/outcome.js';
import type { RunProgress } from '../contract/progress.js';
import type { World } from '../demo/world.js';
import { CliExit, EXIT, workflowEnd } from './exit.js';
import { follow } from './follow.js';
import { printResult } from './run.js';
import { startOrJoin } from './start.js';
import { processTerminal, type Terminal } from './terminal.js';

/** `image-factory demo`: the whole job on real parts, with no Docker, no account and nothing to configure. */
export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .description('the whole job on this machine: no Docker, no account')
    .option('--keep', 'leave everything running afterwards, and say what to try')
    .action(async ({ keep }: { keep?: boolean }) => {
      const stop = new AbortController();
      const onSignal = (): void => stop.abort(new CliExit(EXIT.imagesFailed, 'stopped'));
      process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
      await demo(keep === true, stop.signal, processTerminal());
    });
}

async function demo(keep: boolean, signal: AbortSignal, terminal: Terminal): Promise<void> {
  // Loaded only here: a production install of the other commands does without the demo's parts.
  const [{ ensureTools }, { toolScreen }, { startWorld, WORLD_TOOLS }] = await Promise.all([
    import('../demo/tools.js'),
    import('../demo/tools/screen.js'),
    import('../demo/world.js'),
  ]);
  terminal.line(terminal.paint('bold', 'tools'));
  const screen = toolScreen(process.stdout);
  const tools = await ensureTools(WORLD_TOOLS, { report: screen.report, signal }).finally(() => screen.end());
  terminal.line(terminal.paint('bold', 'world'));
  const time = new Date().toISOString().replace(/[:.]/g, '-');
  const reportDir = resolve(process.env.REPORT_DIR || 'reports', `demo-${time}`);
  const world = await startWorld({ tools, reportDir, signal });
  try {
    describeWorld(world, terminal);
    const { runId } = await story(world, signal, terminal);
    if (keep) await stay(world, tools.temporal.path, runId, signal, terminal);
  } finally {
    await world.stop();
  }
}

function describeWorld(world: World, terminal: Terminal): void {
  terminal.line(`  Temporal        ${world.temporal.address}, Web UI ${world.temporal.ui}`);
  terminal.line(`  source registry ${world.source}: ${world.fleet.length} two-platform images`);
  terminal.line(`  your registry   ${world.target}: empty`);
  terminal.line(`  Harness         ${world.harness.url} (simulated)`);
}

/** One run, shown as it happens, and whether it ended as the fleet was made to end. */
async function story(world: World, signal: AbortSignal, terminal: Terminal): Promise<RunResult> {
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
    await follow(temporal, handle, terminal, Promise.race([ended, rejection(signal)]));
    signal.throwIfAborted();
    const result = await resultOf(ended);
    printResult(result, false, terminal);
    await judge(world, handle, result.runId, terminal);
    return result;
  } finally {
    await connection.close();
  }
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

async function judge(world: World, handle: WorkflowHandle, runId: string, terminal: Terminal): Promise<void> {
  const { surprises } = await import('../demo/verdicts.js');
  const { finished } = await handle.query<RunProgress>(PROGRESS_QUERY);
  const odd = surprises(world.fleet, finished);
  const { ui, namespace } = world.temporal;
  terminal.line(`Web UI: ${ui}/namespaces/${namespace}/workflows/${handle.workflowId}/${runId}/history`);
  terminal.line();
  if (odd.length > 0)
    throw new CliExit(EXIT.imagesFailed, `the demo did not end as it should: ${odd.join('; ')}`);
  terminal.line(
    terminal.paint(
      'green',
      'As expected: what the policy forbids was blocked, everything else is mirrored and verified.',
    ),
  );
  terminal.line(
    terminal.paint(
      'dim',
      'A run that blocks an image ends Failed, so that nobody misses it; its table is under User Metadata in the Web UI.',
    ),
  );
}

/** What to try, ready to be pasted. */
async function stay(
  world: World,
  temporal: string,
  runId: string,
  signal: AbortSignal,
  terminal: Terminal,
): Promise<void> {
  const built = import.meta.url.endsWith('.js');
  const factory = built
    ? `node ${quoted(process.argv[1] ?? 'dist/client.js')}`
    : 'npm run -s image-factory --';
  for (const line of [
    '',
    'Everything keeps running until Ctrl-C. In another terminal, in the directory of the project:',
    '',
    `export TEMPORAL_ADDRESS=${world.temporal.address}`,
    `export INPUT='${JSON.stringify(world.input)}'`,
    '',
    '# again: nothing changes, what is blocked stays blocked',
    `${factory} run --input "$INPUT"`,
    '# what a run would do; where the last one is; undo what it set in the account',
    `${factory} plan --input "$INPUT"`,
    `${factory} status`,
    `${factory} restore ${runId}`,
    '# the same without our command line',
    `${quoted(temporal)} workflow start --type ${WORKFLOW.imageFactory} --task-queue ${DEFAULT_TASK_QUEUE} --workflow-id by-hand --input "$INPUT"`,
    '# your registry',
    `curl -s http://${world.target}/v2/_catalog`,
  ])
    terminal.line(line);
  if (!signal.aborted) await once(signal, 'abort');
  terminal.line('stopping');
}

/** A path as a word of a shell. */
const quoted = (path: string): string =>
  /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;

const rejection = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
  );
