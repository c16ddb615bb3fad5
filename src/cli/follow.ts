import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { PROGRESS_QUERY } from '../contract/names.js';
import type { OutcomeKind, StepRecord } from '../contract/outcome.js';
import type { ImageProgress, RunProgress } from '../contract/progress.js';
import { type Colour, duration, type Terminal } from './terminal.js';

/** Temporal has no way to be told of progress: the query is asked this often. */
const POLL_MS = 700;

const COLOUR: Record<OutcomeKind, Colour> = {
  mirrored: 'green',
  rescanned: 'green',
  unchanged: 'dim',
  skipped: 'yellow',
  cancelled: 'yellow',
  blocked: 'red',
  failed: 'red',
  unresolved: 'red',
};

/** Prints a line for each image and step as it happens, until `ended` settles. */
export async function follow(
  client: Client,
  handle: WorkflowHandle,
  terminal: Terminal,
  ended: Promise<unknown>,
): Promise<void> {
  const printer = new ProgressPrinter(terminal);
  const stop = new AbortController();
  const settled = ended.then(
    () => stop.abort(),
    () => stop.abort(),
  );
  while (!stop.signal.aborted) {
    await look(client, handle, printer).catch(() => undefined); // no worker answers queries just now: look again
    await sleep(POLL_MS, undefined, { signal: stop.signal }).catch(() => undefined);
  }
  await settled;
  await look(client, handle, printer).catch(() => undefined); // what ended since the last look
}

async function look(client: Client, handle: WorkflowHandle, printer: ProgressPrinter): Promise<void> {
  const run = await handle.query<RunProgress>(PROGRESS_QUERY);
  const images = await Promise.all(
    run.running.map(({ workflowId }) =>
      client.workflow
        .getHandle(workflowId)
        .query<ImageProgress>(PROGRESS_QUERY)
        .catch(() => undefined),
    ),
  );
  printer.show(
    run,
    images.filter((image) => image !== undefined),
  );
}

/** Turns looks at a run into lines, each said once. */
export class ProgressPrinter {
  readonly #terminal: Terminal;
  readonly #steps = new Map<string, number>();
  readonly #ended = new Set<string>();
  #phase = '';

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(run: RunProgress, images: readonly ImageProgress[]): void {
    if (run.phase !== this.#phase) {
      this.#phase = run.phase;
      this.#terminal.line(
        this.#terminal.paint('bold', `${run.phase}${run.images > 0 ? ` (${run.images} images)` : ''}`),
      );
    }
    for (const { image, steps } of images) this.#printSteps(image, steps);
    for (const { image, kind, note, steps } of run.finished) {
      if (this.#ended.has(image)) continue;
      this.#ended.add(image);
      this.#printSteps(image, steps);
      this.#terminal.line(`  ${image}  ${this.#terminal.paint(COLOUR[kind], kind)}: ${note}`);
    }
  }

  #printSteps(image: string, steps: readonly StepRecord[]): void {
    const printed = this.#steps.get(image) ?? 0;
    for (const { step, ms } of steps.slice(printed)) {
      this.#terminal.line(this.#terminal.paint('dim', `  ${image}  ${step} ${duration(ms)}`));
    }
    this.#steps.set(image, Math.max(printed, steps.length));
  }
}
