import type { OutcomeKind, Step } from '../../contract/outcome.js';
import type { Phase } from '../../contract/progress.js';
import type { Retry } from '../pending.js';

/** An image in work. */
export interface WorkRow {
  image: string;
  /** Null between two steps that were never seen. */
  step: Step | null;
  /** What the step itself says that it does, e.g. `download`; empty where that says no more than the step. */
  doing: string;
  transfer: Transfer | null;
}

/** Bytes under way. */
export interface Transfer {
  bytes: number;
  total: number;
  /** Bytes a second over the last seconds; null where two looks have not shown it yet. */
  rate: number | null;
  /** Null where the rate is not known or zero. */
  leftMs: number | null;
}

export interface FinishedRow {
  image: string;
  kind: OutcomeKind;
  note: string;
}

/** A step that is being tried again; `image` is empty for the run's own steps. */
export interface WarningRow extends Retry {
  image: string;
}

/** All that one picture of a run shows. */
export interface Frame {
  workflowId: string;
  /** Null before any worker answered. */
  phase: Phase | null;
  paused: boolean;
  done: number;
  images: number;
  elapsedMs: number;
  counts: Partial<Record<OutcomeKind, number>>;
  /** Something that the reader should know of the picture itself, e.g. that no worker answers. */
  notice: string;
  /** The sum over the images in work; null while none moves bytes. */
  transfer: Transfer | null;
  working: WorkRow[];
  /** Images whose end asks for a person, newest first. */
  attention: FinishedRow[];
  /** Newest first. */
  warnings: WarningRow[];
  /** All other ends, newest first. */
  finished: FinishedRow[];
}
