import type { EngineState } from './activities.js';
import type { Digest, Reference } from './brand.js';
import type { OutcomeKind } from './outcome.js';
import type { DiscoverySummary, FieldRef, RunConfig } from './run.js';
import type { SteeringState } from './steering.js';
import type { StepEnd } from './template-step.js';
import type { DatabasePin } from './verdict.js';

/** A field whose image this run verified or found identical: what the account may be pointed at. */
export interface GoodField extends FieldRef {
  target: Reference;
  /** What was verified or found there. Absent: a run of an older version. */
  digest?: Digest;
}

/**
 * What a long run hands to itself when its history has grown (continue-as-new): small, because everything large is in
 * the evidence store. The first execution's run id stays the run's.
 */
export interface Continuation {
  config: RunConfig;
  discovery: DiscoverySummary;
  /** The first page that is not planned yet. */
  nextPage: number;
  /** Evidence keys of the outcomes so far. */
  outcomePages: string[];
  counts: Record<OutcomeKind, number>;
  goodFields: GoodField[];
  database: DatabasePin | null;
  /** Absent: nothing was built by one so far. */
  engine?: EngineState;
  steering: Pick<SteeringState, 'paused' | 'maxConcurrency'>;
  /** ISO 8601 UTC. */
  startedAt: string;
  deadlineAt: string;
  /** How the run's own steps of templates ended so far. Absent: there were none. */
  templateSteps?: StepEnd[];
}
