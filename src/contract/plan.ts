import type { EngineState } from './activities.js';
import type { Digest, Reference } from './brand.js';
import type { BuildkitConfig, FieldRef } from './run.js';
import type { Verdict } from './verdict.js';

/** What the registry needs so that it holds the image as meant. */
export type PlanState = 'create' | 'update' | 'unchanged' | 'needs-scan' | 'unresolved';

/** A target that no longer holds what we pushed. */
export type Drift = 'missing' | 'replaced';

interface PlanItemBase {
  /** As Harness names it. */
  image: string;
  fields: FieldRef[];
  /** Why it is in this state, in one sentence. */
  reason: string;
}

export interface UnresolvedItem extends PlanItemBase {
  state: 'unresolved';
  target: Reference | null;
}

export interface ResolvedItem extends PlanItemBase {
  state: Exclude<PlanState, 'unresolved'>;
  source: Reference;
  sourceDigest: Digest;
  target: Reference;
  /** What the target tag holds now; null when it does not exist. */
  targetDigest: Digest | null;
  drift: Drift | null;
  /** The last verdict for this source digest, if any scan is on record. */
  lastVerdict: VerdictSummary | null;
  /** Platforms that what the tag holds was made without, as far as we remember. Absent: none. */
  skipped?: string[];
}

export type PlanItem = ResolvedItem | UnresolvedItem;

/** The part of a {@link Verdict} that plan and tables show. */
export interface VerdictSummary extends Pick<Verdict, 'decision' | 'rule' | 'scannedAt' | 'policyDigest'> {
  /** Where the whole verdict lies in the evidence store. */
  key: string;
}

/** The answer of a dry run. */
export interface PlanResult {
  kind: 'plan';
  runId: string;
  registry: string;
  items: PlanItem[];
  /** Evidence keys of all plan pages; `items` is cut at the first {@link PLAN_ITEMS_SHOWN}. */
  pages: string[];
  counts: Record<PlanState, number>;
  /** Absent: nothing is built. */
  engine?: PlannedEngine;
}

/** The Docker Engine that would build, or why there is none, and what becomes of platforms that it can't build. */
export type PlannedEngine = Pick<BuildkitConfig, 'onUnbuildablePlatform'> &
  ({ state: EngineState } | { state: null; fault: string });

/** How many items a result carries inline, so that payloads stay small (design, decision 1). */
export const PLAN_ITEMS_SHOWN = 100;
/** How many images one page of the evidence store, and one plan activity, covers. */
export const PAGE_SIZE = 40;
