import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection, WorkflowFailedError } from '@temporalio/client';
import { release } from '../src/cli/demo/actions.js';
import { workflowEnd } from '../src/cli/exit.js';
import { runProgram } from '../src/common/process.js';
import { DEFAULT_TASK_QUEUE, DEFAULT_WORKFLOW_ID, WORKFLOW } from '../src/contract/names.js';
import type { RunResult } from '../src/contract/outcome.js';
import { debianRoot } from '../src/demo/fleet/debian-root.js';
import { ensureTools } from '../src/demo/tools.js';
import { startWorld, WORLD_TOOLS, type World } from '../src/demo/world.js';
import { findChromium } from '../test/report/chromium.js';
import { photograph } from './screens/pages.js';
import { terminalSvg } from './screens/terminal-svg.js';

/**
 * Makes the README's pictures from a real demo: a first run, a release of Harness, a second run; then `status` in a
 * terminal, the run in Temporal's Web UI, and the report. Needs chromium and `script` (util-linux) on PATH.
 */
const SCREENS = fileURLToPath(new URL('../docs/screens/', import.meta.url));
const COLUMNS = 118;

/** Runs the factory once, to its end. A demo's run ends Failed, since images are blocked: its result is in the failure. */
async function run(world: World, client: Client): Promise<RunResult> {
  try {
    return await client.workflow.execute(WORKFLOW.imageFactory, {
      workflowId: DEFAULT_WORKFLOW_ID,
      taskQueue: DEFAULT_TASK_QUEUE,
      args: [world.input],
    });
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { details, message } = workflowEnd(error);
    if (details === undefined) throw new Error(message);
    return details as RunResult; // what imageFactory adds to its failure
  }
}

/** What `status` writes on a terminal of {@link COLUMNS}, which `script` plays. */
async function statusOf({ temporal }: World): Promise<string> {
  const command = 'npm run -s image-factory -- status';
  const { stdout } = await runProgram('script', ['-qec', `stty cols ${COLUMNS} && ${command}`, '/dev/null'], {
    env: {
      PATH: process.env.PATH ?? '',
      HOME: process.env.HOME ?? '',
      TERM: 'xterm',
      TEMPORAL_ADDRESS: temporal.address,
      npm_config_loglevel: 'error',
    },
    timeoutMs: 60_000,
  });
  return `$ ${command}\n${stdout}`;
}

async function pictures(world: World): Promise<void> {
  const connection = await Connection.connect({ address: world.temporal.address });
  try {
    const client = new Client({ connection, namespace: world.temporal.namespace });
    await run(world, client);
    await release(world);
    const { runId, report } = await run(world, client);
    await writeFile(join(SCREENS, 'terminal.svg'), terminalSvg(await statusOf(world), COLUMNS));
    const { ui, namespace } = world.temporal;
    await photograph(await findChromium(), [
      {
        at: `${ui}/namespaces/${namespace}/workflows/${DEFAULT_WORKFLOW_ID}/${runId}/user-metadata`,
        ready: 'in the account',
        framed: true,
        picture: join(SCREENS, 'web-ui.png'),
        width: 1280,
        height: 1000,
      },
      {
        at: report?.html ?? '',
        ready: 'Needs attention',
        picture: join(SCREENS, 'report.png'),
        width: 1280,
        height: 1000,
      },
    ]);
  } finally {
    await connection.close();
  }
}

// Its name shows in the pictures: it says nothing of this machine.
const reportDir = await mkdtemp(join(tmpdir(), 'reports-'));
const world = await startWorld({
  tools: await ensureTools(WORLD_TOOLS),
  reportDir,
  debianRoot: await debianRoot(),
});
try {
  await pictures(world);
} finally {
  await world.stop();
  await rm(reportDir, { recursive: true, force: true });
}
for (const name of ['terminal.svg', 'web-ui.png', 'report.png'])
  process.stdout.write(`docs/screens/${name}: ${(await stat(join(SCREENS, name))).size} bytes\n`);
