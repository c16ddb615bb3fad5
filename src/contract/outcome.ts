import type { Digest, Reference } from './brand.js';
import type { FailureType } from './failure.js';
import type { RestoreInput } from './input.js';
import type { PlanItem } from './plan.js';
import type { Infra } from './run.js';
import type { StepEnd } from './template-step.js';
import type { EvidenceRef, Verdict } from './verdict.js';

export const STEPS = ['scan', 'build', 'push', 'verify'] as const;
export type Step = (typeof STEPS)[number];

/** How long a finished step took; `at` is workflow time, ISO 8601 UTC. */
export interface StepRecord {
  step: Step;
  at: string;
  ms: number;
}

export interface PlatformDigests {
  platform: string;
  source: Digest;
  target: Digest;
  /** `built` by a Docker Engine, or only labelled. Absent: labelled. */
  how?: 'built' | 'labelled';
}

/** What an engine made, by digest: enough for any worker to make it again or to push and verify it. */
export interface BuiltImage {
  digest: Digest;
  mediaType: string;
  platforms: PlatformDigests[];
  /** Platforms that were left out, since the engine can't build them. Absent: none. */
  skipped?: string[];
  /** What the engine printed. Absent: nothing was built. */
  log?: EvidenceRef;
  /** The task queue of the worker that has it alone. Absent: every worker can make it again, or has none of its own. */
  queue?: string;
}

/** What a push sent. Bytes that the registry already had (or mounted) are not in `uploadedBytes`. */
export interface PushSummary {
  blobs: number;
  uploadedBlobs: number;
  mountedBlobs: number;
  uploadedBytes: number;
}

/** What a `mirrorImage` workflow returns. It throws only when it failed. */
export type MirrorOutcome =
  | ({ kind: 'mirrored'; built: BuiltImage; verdict: Verdict | null; push: PushSummary } & Worked)
  | ({ kind: 'rescanned'; verdict: Verdict } & Worked)
  /** `built` where it was the image as built that was blocked. */
  | ({ kind: 'blocked'; verdict: Verdict; built?: BuiltImage } & Worked)
  | { kind: 'skipped'; reason: string };

/** What every image that was worked on has. */
interface Worked {
  steps: StepRecord[];
  /** On what a Docker Engine built of the source; `verdict` is on the source. Absent: nothing was built, or scanned. */
  builtVerdict?: Verdict;
  /** How steps of templates ended. Absent: there were none. */
  templateSteps?: StepEnd[];
}

const WEIGHT: Record<Verdict['decision'], number> = { pass: 0, warn: 1, block: 2 };

/**
 * The verdict that decided: what was built is judged after its source, which still speaks for platforms that were only
 * labelled, and not for those that were left out.
 */
export function decidingVerdict<
  V extends (Pick<Verdict, 'decision'> & { platforms: readonly { platform: string }[] }) | null,
>(judged: { verdict: V; builtVerdict?: NonNullable<V>; built?: Pick<BuiltImage, 'skipped'> }): V {
  const { verdict, builtVerdict, built } = judged;
  if (builtVerdict === undefined || verdict === null) return builtVerdict ?? verdict;
  const settled = new Set(builtVerdict.platforms.map(({ platform }) => platform));
  for (const platform of built?.skipped ?? []) settled.add(platform);
  const speaksForOthers = verdict.platforms.some(({ platform }) => !settled.has(platform));
  return speaksForOthers && WEIGHT[verdict.decision] > WEIGHT[builtVerdict.decision] ? verdict : builtVerdict;
}

/** How one image of the run ended. */
export type ImageOutcome =
  | MirrorOutcome
  | { kind: 'unchanged' }
  | { kind: 'unresolved'; reason: string }
  | { kind: 'failed'; step: Step | null; type: FailureType | string; message: string }
  | { kind: 'cancelled' };

export type OutcomeKind = ImageOutcome['kind'];

/** An image of the plan with its end; what the report is made of. */
export interface ImageRecord {
  item: PlanItem;
  outcome: ImageOutcome;
}

/** One field to set, and the value that it shall have. */
export interface FieldUpdate {
  field: string;
  value: string;
  /** The image behind the value, as we pushed and verified it. */
  target: Reference;
  /** What it is. Absent: a run of an older version. */
  digest?: Digest;
}

/** What happened to the account's fields of one infra. */
export interface AccountOutcome {
  infra: Infra;
  account: string;
  kind: 'updated' | 'unchanged' | 'refused' | 'failed' | 'skipped';
  /** One sentence: what was done, or why not and how to mend it. */
  reason: string;
  /** Evidence key of the overrides as they were before. */
  snapshotKey: string | null;
  updated: (FieldUpdate & { before: string | null })[];
  rejected: RejectedField[];
}

/** A field that was not set, and keeps what it had. */
export interface RejectedField {
  field: string;
  value: string;
  reason: string;
}

/**
 * Ends of images that make the run end Failed with type `ImagesFailed`. `cancelled` is among them for an image that
 * somebody cancelled on its own: a cancelled run ends Cancelled.
 */
export const FAILING_OUTCOMES: readonly OutcomeKind[] = ['failed', 'blocked', 'unresolved', 'cancelled'];

/** What is different from the last run, in a few sentences; the report has it whole. */
export interface ChangesSummary {
  /** When that run ended, ISO 8601 UTC. */
  since: string;
  /** Worst first; few and short, since they are part of workflow results. */
  lines: string[];
  /** How many more the report has. */
  more: number;
}

export interface ReportRef {
  /** Where a person finds it: a path or a URL. */
  json: string;
  html: string;
  jsonKey: string;
  /** Null: there is no earlier run to compare with. Absent: a worker of an older version wrote the report. */
  changes?: ChangesSummary | null;
}

/** How an image ended, in the words of `noteOf`. */
export interface ImageEnd {
  image: string;
  kind: OutcomeKind;
  note: string;
}

/** What `imageFactory` returns when every image is as it should be. */
export interface RunResult {
  kind: 'run';
  runId: string;
  registry: string;
  counts: Record<OutcomeKind, number>;
  accounts: Pick<AccountOutcome, 'infra' | 'kind' | 'reason'>[];
  report: ReportRef | null;
  /** Images that need a person, the first few of them; `counts` says how many they are, the report names them all. */
  attention?: ImageEnd[];
  /** What undoes the run's changes to the account; null where it made none. */
  undo?: RestoreInput | null;
  /** How steps of templates that belong to no image ended. Absent: there were none. */
  templateSteps?: StepEnd[];
}
