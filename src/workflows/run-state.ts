import { defineQuery, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import type { Digest } from '../contract/brand.js';
import type { GoodField } from '../contract/continuation.js';
import { PROGRESS_QUERY } from '../contract/names.js';
import { noteOfRecord } from '../contract/note.js';
import {
  FAILING_OUTCOMES,
  type ImageEnd,
  type ImageOutcome,
  type ImageRecord,
  type OutcomeKind,
  type RunResult,
  type StepRecord,
} from '../contract/outcome.js';
import type { ResolvedItem } from '../contract/plan.js';
import type { Phase, RunProgress } from '../contract/progress.js';
import { detailsTable } from './details.js';
import type { Outcomes } from './outcomes.js';
import { Steering } from './steering.js';

const progressQuery = defineQuery<RunProgress>(PROGRESS_QUERY);

/** The most finished images that the query answers with, and the Web UI shows. */
const FINISHED_SHOWN = 200;
/** The most images that need a person in the run's result, and the length of what is said of each. */
const ATTENTION_SHOWN = 20;
const ATTENTION_CHARACTERS = 500;

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
  /** Steps of templates that failed and may. */
  failedSteps = 0;
  /** Images that need a person, the first few. */
  readonly attention: ImageEnd[] = [];
  readonly #open = new Set<ResolvedItem>();
  readonly #running = new Map<string, RunProgress['running'][number]>();
  #finished: RunProgress['finished'] = [];
  #phase: Phase = 'resolve';
  #images = 0;
  #result: RunResult | undefined;

  /** When the run began, ISO 8601 UTC: in its first execution. */
  startedAt = workflowInfo().startTime.toISOString();

  constructor(
    readonly runId: string,
    private readonly outcomes: Outcomes,
  ) {
    setHandler(progressQuery, () => this.progress());
    this.steering.listen(); // last: what it hands over at once is shown with all of this
  }

  enter(phase: Phase): void {
    this.#phase = phase;
    this.#show();
  }

  /** The run has its report, and this to return. */
  finish(result: RunResult): void {
    this.#result = result;
    this.enter('done');
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
    if ('templateSteps' in outcome)
      this.failedSteps += outcome.templateSteps?.filter(({ ok }) => !ok).length ?? 0;
    const good = outcome.kind === 'mirrored' || outcome.kind === 'rescanned' || outcome.kind === 'unchanged';
    const { target } = item;
    if (good && target !== null) {
      const digest = outcome.kind === 'mirrored' ? outcome.built.digest : heldBefore(item);
      const image = { target, ...(digest === null ? {} : { digest }) };
      this.goodFields.push(...item.fields.map((field) => ({ ...field, ...image })));
    }
    const end = { image: item.image, kind: outcome.kind, note: noteOfRecord(record) };
    this.#finished = [...this.#finished.slice(1 - FINISHED_SHOWN), { ...end, steps: stepsOf(outcome) }];
    if (FAILING_OUTCOMES.includes(outcome.kind) && this.attention.length < ATTENTION_SHOWN)
      this.attention.push({ ...end, note: end.note.slice(0, ATTENTION_CHARACTERS) });
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
      ...(this.#result === undefined ? {} : { result: this.#result }),
    };
  }

  #show(): void {
    setCurrentDetails(detailsTable(this.progress(), this.done(), workflowInfo().taskQueue));
  }
}

const stepsOf = (outcome: ImageOutcome): StepRecord[] => ('steps' in outcome ? outcome.steps : []);

const heldBefore = (item: ImageRecord['item']): Digest | null =>
  item.state === 'unresolved' ? null : item.targetDigest;
