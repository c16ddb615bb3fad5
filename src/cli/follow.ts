import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { imageCount } from '../common/count.js';
import { PROGRESS_QUERY } from '../contract/names.js';
import type { StepRecord } from '../contract/outcome.js';
import { type ImageProgress, PHASES, type Phase, type RunProgress } from '../contract/progress.js';
import type { TemporalClient } from './connection.js';
import { abortableCalls } from './interrupt.js';
import { LOOK } from './look.js';
import { type Retry, retriesOf } from './pending.js';
import { self } from './self.js';
import { type Colour, duration, hanging, type Terminal } from './terminal.js';
import { missingWorkerHint } from './workers.js';

/** Temporal has no way to be told of progress: the query is asked this often. */
const POLL_MS = 700;
/** How long the last look at an ended run may take; its result is printed in any case. */
const LAST_LOOK_MS = 10_000;

/** Prints a line for each image and step as it happens, until `ended` settles. */
export async function follow(
  temporal: TemporalClient,
  handle: WorkflowHandle,
  terminal: Terminal,
  ended: Promise<unknown>,
): Promise<void> {
  const printer = new ProgressPrinter(terminal);
  await untilEnded(temporal.client, ended, async () => {
    try {
      await look(temporal.client, handle, printer);
    } catch (error) {
      // A worker that has just gone still counts as polling for a while: it is looked for again.
      printer.notice(await missingWorkerHint(temporal));
      throw error;
    }
  });
}

/** Says why a plan waits, on standard error; its result is the only thing on standard output. */
export async function followPlan(
  temporal: TemporalClient,
  handle: WorkflowHandle,
  terminal: Terminal,
  ended: Promise<unknown>,
): Promise<void> {
  const printer = new ProgressPrinter({ ...terminal, line: (text = '') => terminal.error(text) });
  await untilEnded(temporal.client, ended, async () => {
    printer.warn('', await retriesOf(handle));
    printer.notice(await missingWorkerHint(temporal));
  });
}

/**
 * Looks again and again until `ended` settles, and once more when the workflow itself has ended.
 *
 * @returns whether it has, or only the wait for it
 */
export async function untilEnded(
  client: Client,
  ended: Promise<unknown>,
  lookOnce: () => Promise<void>,
): Promise<boolean> {
  let over = false;
  let looking = new AbortController();
  const settled = ended
    .then(
      () => true,
      (error: unknown) => error instanceof WorkflowFailedError,
    )
    .finally(() => {
      over = true;
      looking.abort();
    });
  while (!over) {
    looking = abortableCalls();
    // Without a worker a query is tried for half a minute; nobody waits for it when the run is over or Ctrl-C comes.
    await client.withAbortSignal(looking.signal, lookOnce).catch(() => undefined); // no worker answers just now: look again
    await sleep(POLL_MS, undefined, { signal: looking.signal }).catch(() => undefined);
  }
  if (!(await settled)) return false;
  await client.withDeadline(Date.now() + LAST_LOOK_MS, lookOnce).catch(() => undefined); // what ended since
  return true;
}

async function look(client: Client, handle: WorkflowHandle, printer: ProgressPrinter): Promise<void> {
  printer.warn('', await retriesOf(handle));
  const run = await handle.query<RunProgress>(PROGRESS_QUERY);
  for (const { image, workflowId } of run.running) {
    printer.warn(image, await retriesOf(client.workflow.getHandle(workflowId)).catch(() => []));
  }
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

/** As long as the longest of Harness's own names; a longer one moves its own line only, so that columns stay. */
const NAME_COLUMN = 44;
const WORD_COLUMN = 12;
/** What a narrow terminal keeps for the note. */
const NOTE_ROOM = 24;

interface Line {
  mark: string;
  colour: Colour;
  image: string;
  word: string;
  note: string;
}

/** Turns looks at a run into lines, each said once. */
export class ProgressPrinter {
  readonly #terminal: Terminal;
  readonly #steps = new Map<string, number>();
  readonly #ended = new Set<string>();
  readonly #warned = new Set<string>();
  #phase = -1;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** @param images progress of those in work */
  show(run: RunProgress, images: readonly ImageProgress[]): void {
    // Between two looks the last images may have ended and the next phase begun: they belong above its heading.
    if (run.finished.length > 0 || images.length > 0) this.#enter('mirror', run.images);
    for (const { image, steps } of images) this.#printSteps(image, steps);
    for (const { image, kind, note, steps } of run.finished) {
      if (this.#ended.has(image)) continue;
      this.#ended.add(image);
      this.#printSteps(image, steps);
      this.#print({ ...LOOK[kind], image, word: kind, note });
    }
    if (run.phase !== 'done') this.#enter(run.phase, run.images);
  }

  /** Says something once. */
  notice(text: string | undefined): void {
    if (text === undefined || this.#warned.has(text)) return;
    this.#warned.add(text);
    this.#terminal.line(this.#terminal.paint('yellow', `! ${text}`));
  }

  /** Says once for each reason that a step is being tried again; `image` is empty for the run's own steps. */
  warn(image: string, retries: readonly Retry[]): void {
    for (const { activity, attempt, message } of retries) {
      const reason = `${image} ${activity} ${message}`;
      if (this.#warned.has(reason)) continue;
      this.#warned.add(reason);
      const note = `${activity}, attempt ${attempt} follows: ${message}`;
      this.#print({ mark: '!', colour: 'yellow', image: image || 'the run', word: 'again', note });
      this.notice(
        `it is tried again by itself, as long as its time limit allows; ${self()} doctor checks all that a run needs`,
      );
    }
  }

  #enter(phase: Phase, images: number): void {
    const at = PHASES.indexOf(phase);
    if (at <= this.#phase) return;
    this.#phase = at;
    const heading = phase === 'mirror' ? `${phase} (${imageCount(images)})` : phase;
    this.#terminal.line(this.#terminal.paint('bold', heading));
  }

  #printSteps(image: string, steps: readonly StepRecord[]): void {
    const printed = this.#steps.get(image) ?? 0;
    for (const { step, ms } of steps.slice(printed))
      this.#print({ mark: ' ', colour: 'dim', image, word: step, note: duration(ms) });
    this.#steps.set(image, Math.max(printed, steps.length));
  }

  /** A note that is longer than the room beside the name goes on below, under its own column. */
  #print({ mark, colour, image, word, note }: Line): void {
    const { columns } = this.#terminal;
    const name = Math.min(NAME_COLUMN, columns - WORD_COLUMN - NOTE_ROOM - 4);
    const start = `${mark} ${image.padEnd(name)}  ${word.padEnd(WORD_COLUMN)}`;
    const lines = hanging(this.#terminal.paint(colour, start), note, columns);
    for (const line of lines) this.#terminal.line(line);
  }
}
