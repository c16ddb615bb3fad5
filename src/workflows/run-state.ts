import { defineQuery, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { GoodField } from '../contract/continuation.js';
import { PROGRESS_QUERY } from '../contract/names.js';
import { noteOf } from '../contract/note.js';
import type { ImageOutcome, ImageRecord, OutcomeKind, StepRecord } from '../contract/outcome.js';
import type { ResolvedItem } from '../contract/plan.js';
import type { Phase, RunProgress } from '../contract/progress.js';
import { detailsTable } from './details.js';
import type { Outcomes } from './outcomes.js';
import { Steering } from './steering.js';

const progressQuery = defineQuery<RunProgress>(PROGRESS_QUERY);

/** The most finished images that the query answers with, and the Web UI shows. */
const FINISHED_SHOWN = 200;

export const noCounts = (): Record<OutcomeKind, number> => ({
  mirrored: 0,
  rescanned: 0,
  unchanged: 0,
  blocked: 0,
  skipped: 0,
  unresolved: 0,
  failed: 0,
  cancelled: 0,
});

/** Where the run is: what query, Web UI and steering show. What is large about an image goes to {@link Outcomes}. */
export class RunState {
  readonly steering = new Steering(() => this.#show());
  readonly goodFields: GoodField[] = [];
  readonly counts = noCounts();
  readonly #open = new Set<ResolvedItem>();
  readonly #running = new Map<string, RunProgress['running'][number]>();
  #finished: RunProgress['finished'] = [];
  #phase: Phase = 'resolve';
  #images = 0;

  constructor(
    readonly runId: string,
    private readonly outcomes: Outcomes,
  ) {
    setHandler(progressQuery, () => this.progress());
  }

  enter(phase: Phase): void {
    this.#phase = phase;
    this.#show();
  }

  discovered(images: number): void {
    this.#images = images;
    this.#show();
  }

  /** An image that has to be worked on; it is open until it ends. */
  planned(item: ResolvedItem): void {
    this.#open.add(item);
  }

  started(item: ResolvedItem, workflowId: string): void {
    this.#running.set(item.target, { image: item.image, target: item.target, workflowId });
    this.#show();
  }

  ended(record: ImageRecord): void {
    const { item, outcome } = record;
    if (item.state !== 'unresolved') this.#open.delete(item);
    if (item.target !== null) this.#running.delete(item.target);
    this.counts[outcome.kind]++;
    const good = outcome.kind === 'mirrored' || outcome.kind === 'rescanned' || outcome.kind === 'unchanged';
    const { target } = item;
    if (good && target !== null) this.goodFields.push(...item.fields.map((field) => ({ ...field, target })));
    const line = { image: item.image, kind: outcome.kind, note: noteOf(outcome), steps: stepsOf(outcome) };
    this.#finished = [...this.#finished.slice(1 - FINISHED_SHOWN), line];
    this.outcomes.add(record);
    this.#show();
  }

  /** Images that were planned and never got an end. */
  unfinished(): ResolvedItem[] {
    return [...this.#open];
  }

  done(): number {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0);
  }

  progress(): RunProgress {
    const { paused, maxConcurrency } = this.steering.state();
    return {
      version: 1,
      phase: this.#phase,
      runId: this.runId,
      images: this.#images,
      paused,
      maxConcurrency,
      counts: this.counts,
      running: [...this.#running.values()],
      finished: this.#finished,
    };
  }

  #show(): void {
    setCurrentDetails(detailsTable(this.progress(), this.done()));
  }
}

const stepsOf = (outcome: ImageOutcome): StepRecord[] => ('steps' in outcome ? outcome.steps : []);
