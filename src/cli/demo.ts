import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { KeptAction } from '../demo/kept.js';
import type { World } from '../demo/world.js';
import { CliExit, EXIT } from './exit.js';
import { abortableCalls } from './interrupt.js';
import { hanging, processTerminal, type Terminal } from './terminal.js';

interface DemoOptions {
  keep?: boolean;
  s3?: boolean;
}

/** `image-factory demo`: the whole job on real parts, with no Docker, no account and nothing to configure. */
export function addDemoCommand(program: Command): void {
  const command = program
    .command('demo')
    .description('the whole job on this machine: no Docker, no account')
    .option('--keep', 'leave everything running afterwards, and say what to try')
    .option('--s3', 'keep reports and evidence in an S3 server instead of a folder')
    .action(async (options: DemoOptions) => {
      await demo(options, stopSignal(), processTerminal());
    });
  const action = (name: KeptAction, description: string): void => {
    command
      .command(name)
      .description(description)
      .action(async () => {
        const { askKeptDemo } = await import('../demo/kept.js');
        const terminal = processTerminal();
        for (const text of await askKeptDemo(name))
          for (const line of hanging('', text, terminal.columns)) terminal.line(line);
      });
  };
  action('release', 'in a demo that is kept: Harness releases a new version of one image');
  action('break', 'in a demo that is kept: the registry loses content of one copy');
}

/** npm hands Ctrl-C on to a program that had it from the terminal already: what comes so soon is no second one. */
const SAME_SIGNAL_MS = 500;

/** Ends the demo in order on the first SIGINT or SIGTERM, at once on another. */
function stopSignal(): AbortSignal {
  const stop = abortableCalls();
  let first = Number.POSITIVE_INFINITY;
  const onSignal = (): void => {
    // Whatever runs ends with this process (`services/supervise.js`).
    if (performance.now() - first > SAME_SIGNAL_MS) process.exit(EXIT.interrupted);
    first = Math.min(first, performance.now());
    stop.abort(new CliExit(EXIT.imagesFailed, 'stopped'));
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  return stop.signal;
}

// The demo's parts are loaded only here: a production install of the other commands does without them.
async function demo({ keep, s3 }: DemoOptions, signal: AbortSignal, terminal: Terminal): Promise<void> {
  // Half a screen about Node's versions, from AWS's SDK, is no part of a demo.
  if (s3) process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const world = await openWorld(s3 === true, signal, terminal);
  try {
    const { story } = await import('./demo/story.js');
    const result = await story(world.world, signal, terminal);
    if (!keep) return;
    const { stay } = await import('./demo/stay.js');
    await stay(world.world, world.temporal, result, signal, terminal);
  } finally {
    await world.world.stop();
  }
}

/** Tools, then everything that runs. @returns with the path of the Temporal CLI, for hints */
async function openWorld(
  s3: boolean,
  signal: AbortSignal,
  terminal: Terminal,
): Promise<{ world: World; temporal: string }> {
  const [{ ensureTools }, { toolScreen }, { debianRoot }, { startWorld, WORLD_TOOLS }] = await Promise.all([
    import('../demo/tools.js'),
    import('../demo/tools/screen.js'),
    import('../demo/fleet/debian-root.js'),
    import('../demo/world.js'),
  ]);
  terminal.line(terminal.paint('bold', 'tools'));
  const screen = toolScreen(process.stdout);
  const options = { report: screen.report, signal };
  const prepare = async () => ({
    tools: await ensureTools(WORLD_TOOLS, options),
    s3Tools: s3 ? await ensureTools(['versitygw'], options) : {},
    root: await debianRoot(options), // last: when a tool can't be had, nobody waits for this
  });
  const { tools, s3Tools, root } = await prepare().finally(() => screen.end());
  terminal.line(terminal.paint('bold', 'world'));
  const time = new Date().toISOString().replace(/[:.]/g, '-');
  const reportDir = resolve(process.env.REPORT_DIR || 'reports', `demo-${time}`);
  const world = await startWorld({ tools: { ...tools, ...s3Tools }, reportDir, debianRoot: root, signal });
  describeWorld(world, terminal);
  return { world, temporal: tools.temporal.path };
}

function describeWorld(world: World, terminal: Terminal): void {
  const fields = world.fleet.flatMap((image) => image.fields).length;
  terminal.line(`  Temporal        ${world.temporal.address}, Web UI ${world.temporal.ui}`);
  terminal.line(`  source registry ${world.source}: ${world.fleet.length} images of several platforms`);
  terminal.line(`  your registry   ${world.target}: empty`);
  terminal.line(`  Harness         ${world.harness.url} (simulated), ${fields} fields`);
  if (world.s3 !== undefined) terminal.line(`  S3              ${world.s3.endpoint}: reports and evidence`);
}
