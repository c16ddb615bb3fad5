import { defineQuery, setCurrentDetails, setHandler } from '@temporalio/workflow';
import { PROGRESS_QUERY } from '../contract/names.js';
import { noteOf } from '../contract/note.js';
import type { ImageOutcome, ImageRecord, OutcomeKind, StepRecord } from '../contract/outcome.js';
import type { ResolvedItem } from '../contract/plan.js';
import type { Phase, RunProgress } from '../contract/progress.js';
import { detailsTable } from './details.js';

const progressQuery = defineQuery<RunProgress>(PROGRESS_QUERY);

/** The most finished images that the query answers with. */
const FINISHED_SHOWN = 200;

/** Where the run is: what the query and the Web UI show, and the records that the report is made of. */
export class RunState {
  readonly records: ImageRecord[] = [];
  readonly #running = new Map<string, RunProgress['running'][number]>();
  #phase: Phase = 'resolve';
  #images = 0;

  constructor(readonly runId: string) {
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

  started(item: ResolvedItem, workflowId: string): void {
    this.#running.set(item.target, { image: item.image, target: item.target, workflowId });
    this.#show();
  }

  ended(record: ImageRecord): void {
    if (record.item.target !== null) this.#running.delete(record.item.target);
    this.records.push(record);
    this.#show();
  }

  counts(): Record<OutcomeKind, number> {
    const counts = {
      mirrored: 0,
      rescanned: 0,
      unchanged: 0,
      blocked: 0,
      skipped: 0,
      unresolved: 0,
      failed: 0,
      cancelled: 0,
    };
    for (const { outcome } of this.records) counts[outcome.kind]++;
    return counts;
  }

  progress(): RunProgress {
    return {
      version: 1,
      phase: this.#phase,
      runId: this.runId,
      images: this.#images,
      counts: this.counts(),
      running: [...this.#running.values()],
      finished: this.records.slice(-FINISHED_SHOWN).map(({ item, outcome }) => ({
        image: item.image,
        kind: outcome.kind,
        note: noteOf(outcome),
        steps: stepsOf(outcome),
      })),
    };
  }

  #show(): void {
    setCurrentDetails(detailsTable(this.#phase, this.#images, [...this.#running.values()], this.records));
  }
}

const stepsOf = (outcome: ImageOutcome): StepRecord[] => ('steps' in outcome ? outcome.steps : []);
