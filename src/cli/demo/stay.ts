import { once } from 'node:events';
import { DEFAULT_TASK_QUEUE, DEFAULT_WORKFLOW_ID, WORKFLOW } from '../../contract/names.js';
import type { World } from '../../demo/world.js';
import type { Terminal } from '../terminal.js';
import type { StoryEnd } from './story.js';

/** Says what to try, ready to be pasted, and waits for Ctrl-C. @param temporal the Temporal CLI's path */
export async function stay(
  world: World,
  temporal: string,
  end: StoryEnd,
  signal: AbortSignal,
  terminal: Terminal,
): Promise<void> {
  const { offerActions } = await import('../../demo/kept.js');
  const { release, breakOne } = await import('./actions.js');
  const offered = await offerActions({ release: () => release(world), break: () => breakOne(world) });
  try {
    for (const line of hints(world, temporal, end, terminal)) terminal.line(line);
    if (!signal.aborted) await once(signal, 'abort');
    terminal.line('stopping');
  } finally {
    await offered.stop();
  }
}

function hints(
  { temporal: { address, ui, namespace }, input, target }: World,
  temporal: string,
  { runId, report }: StoryEnd,
  terminal: Terminal,
): string[] {
  const title = (text: string): string => terminal.paint('bold', `# ${text}`);
  const call = factory();
  return [
    '',
    'Everything keeps running until Ctrl-C. In a second terminal, in this directory:',
    '',
    `export TEMPORAL_ADDRESS=${address}`,
    `export INPUT='${JSON.stringify(input)}'`,
    '',
    title('the run in the Web UI, and its report'),
    `${ui}/namespaces/${namespace}/workflows/${DEFAULT_WORKFLOW_ID}/${runId}/user-metadata`,
    report,
    title('again: nothing to do, and what is blocked stays blocked'),
    `${call} run --input "$INPUT"`,
    title('a week later: Harness has a new version of one image'),
    `${call} demo release`,
    `${call} plan --input "$INPUT"`,
    `${call} run --watch --input "$INPUT"`,
    title('the registry loses a copy: the next run finds it, and mends it'),
    `${call} demo break`,
    `${call} run --input "$INPUT"`,
    title('where the last run is, and its table'),
    `${call} status`,
    `${call} watch`,
    title('undo what the first run set in the account'),
    `${call} restore ${runId}`,
    title('the same without our command line; what the registry has'),
    `${quoted(temporal)} workflow start --type ${WORKFLOW.imageFactory} --task-queue ${DEFAULT_TASK_QUEUE} --workflow-id by-hand --input "$INPUT"`,
    `curl -s http://${target}/v2/_catalog`,
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
