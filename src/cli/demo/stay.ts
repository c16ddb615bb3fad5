import { once } from 'node:events';
import { DEFAULT_TASK_QUEUE, WORKFLOW } from '../../contract/names.js';
import type { RunResult } from '../../contract/outcome.js';
import type { World } from '../../demo/world.js';
import type { Terminal } from '../terminal.js';

/** Says what to try, ready to be pasted, and waits for Ctrl-C. @param temporal the Temporal CLI's path */
export async function stay(
  world: World,
  temporal: string,
  { runId }: RunResult,
  signal: AbortSignal,
  terminal: Terminal,
): Promise<void> {
  const { offerActions } = await import('../../demo/kept.js');
  const { release, breakOne } = await import('./actions.js');
  const offered = await offerActions({ release: () => release(world), break: () => breakOne(world) });
  try {
    for (const line of hints(world, temporal, runId, terminal)) terminal.line(line);
    if (!signal.aborted) await once(signal, 'abort');
    terminal.line('stopping');
  } finally {
    await offered.stop();
  }
}

function hints(world: World, temporal: string, runId: string, terminal: Terminal): string[] {
  const title = (text: string): string => terminal.paint('bold', `# ${text}`);
  const call = factory();
  return [
    '',
    'Everything keeps running until Ctrl-C. In another terminal, in the same directory:',
    '',
    `export TEMPORAL_ADDRESS=${world.temporal.address}`,
    `export INPUT='${JSON.stringify(world.input)}'`,
    '',
    title('again: nothing to do; what is blocked stays blocked'),
    `${call} run --input "$INPUT"`,
    title('a week later: Harness has a new version of one image'),
    `${call} demo release`,
    `${call} plan --input "$INPUT"`,
    `${call} run --watch --input "$INPUT"`,
    title('a copy is damaged: found, and mended'),
    `${call} demo break`,
    `${call} run --input "$INPUT"`,
    title('where the last run is; its table again; undo what the first one set in the account'),
    `${call} status`,
    `${call} watch`,
    `${call} restore ${runId}`,
    title('the same without our command line; your registry'),
    `${quoted(temporal)} workflow start --type ${WORKFLOW.imageFactory} --task-queue ${DEFAULT_TASK_QUEUE} --workflow-id by-hand --input "$INPUT"`,
    `curl -s http://${world.target}/v2/_catalog`,
    '',
  ];
}

/** How this program was called: through npm in a clone, else by its file. */
function factory(): string {
  const built = import.meta.url.endsWith('.js');
  return built ? `node ${quoted(process.argv[1] ?? 'dist/client.js')}` : 'npm run -s image-factory --';
}

/** A path as a word of a shell. */
const quoted = (path: string): string =>
  /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
