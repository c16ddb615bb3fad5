import type { WorkflowHandle } from '@temporalio/client';
import type { TemporalClient } from '../connection.js';
import { follow, untilEnded } from '../follow.js';
import type { Terminal } from '../terminal.js';
import { canRedraw, InPlace, type Output } from './in-place.js';
import { Looker } from './looks.js';
import { WatchModel } from './model.js';
import { render } from './render.js';

/** Elapsed time goes on between two looks. */
const REDRAW_MS = 1_000;
/** How to come back to a run, and the prompt. */
const WORDS_ROWS = 6;

/**
 * Shows a run as a live table until `ended` settles, and leaves the last picture of it on the screen. Where nothing can
 * be redrawn it says the same line by line.
 */
export async function showLive(
  temporal: TemporalClient,
  handle: WorkflowHandle,
  terminal: Terminal,
  ended: Promise<unknown>,
  output: Output = process.stdout,
): Promise<void> {
  if (!canRedraw(output, process.env)) return follow(temporal, handle, terminal, ended);
  const { client } = temporal;
  const model = new WatchModel(handle.workflowId);
  const looker = new Looker(client, handle.workflowId);
  const draw = (): void => {
    const { columns, rows } = screen.size();
    screen.show(render(model.frame(Date.now()), { columns, rows, colour: terminal.paint }));
  };
  const screen = new InPlace(output, draw);
  screen.open();
  const timer = setInterval(draw, REDRAW_MS);
  let over = false;
  try {
    draw();
    over = await untilEnded(client, ended, async () => {
      const look = await looker.look();
      if (look) model.add(look, Date.now());
      draw();
    });
  } finally {
    clearInterval(timer);
    screen.close();
  }
  const { columns, rows } = screen.size();
  // Everything for a run that ended; for one that goes on as much as leaves room for what is said next.
  const window = {
    columns,
    rows: over ? Number.POSITIVE_INFINITY : Math.max(1, rows - WORDS_ROWS),
    colour: terminal.paint,
  };
  for (const line of render(model.frame(Date.now()), window)) terminal.line(line);
}
