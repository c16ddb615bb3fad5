import type { Reference } from './brand.js';
import type { ImageEnd, OutcomeKind, RunResult, Step, StepRecord } from './outcome.js';

export const PHASES = ['resolve', 'discover', 'plan', 'mirror', 'update', 'report', 'done'] as const;
export type Phase = (typeof PHASES)[number];

/** The answer of the query `progress` on `imageFactory`. Small: a few words an image. */
export interface RunProgress {
  version: 1;
  phase: Phase;
  runId: string;
  images: number;
  /** A person paused it: nothing new starts. */
  paused: boolean;
  maxConcurrency: number;
  counts: Partial<Record<OutcomeKind, number>>;
  /** Images in work, with the child workflow that has each. */
  running: { image: string; target: Reference; workflowId: string }[];
  /** Images that ended, in the order they did; at most the last 200. */
  finished: (ImageEnd & { steps: StepRecord[] })[];
  /** Once the run has its report. */
  result?: RunResult;
}

/** The answer of the query `progress` on `mirrorImage`. */
export interface ImageProgress {
  version: 1;
  image: string;
  step: Step | null;
  steps: StepRecord[];
}
