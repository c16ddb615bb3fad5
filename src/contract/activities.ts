import type { Digest, Reference } from './brand.js';
import type { RestoreInput, RunInput } from './input.js';
import type {
  AccountOutcome,
  BuiltImage,
  FieldUpdate,
  ImageOutcome,
  ImageRecord,
  PushSummary,
  RejectedField,
  ReportRef,
} from './outcome.js';
import type { PlanItem } from './plan.js';
import type {
  BuildPushConfig,
  DiscoverySummary,
  ExternalScanner,
  HarnessTarget,
  Infra,
  Policy,
  RunConfig,
  TemplateStep,
} from './run.js';
import type { StepEnd, StepEvent } from './template-step.js';
import type { DatabasePin, Verdict } from './verdict.js';

/** Everything an activity needs to find one image's content, whatever worker it runs on. */
export interface ImageTask {
  runId: string;
  image: string;
  source: Reference;
  sourceDigest: Digest;
  target: Reference;
}

export interface ScanTask extends ImageTask {
  platforms: string[];
  policy: Policy;
  policyDigest: Digest;
  database: DatabasePin;
  /** Those beside Trivy. Absent: none. */
  scanners?: ExternalScanner[];
  /** What an engine made of the source, to be scanned instead of it. */
  built?: BuiltImage;
}

export interface BuildTask extends ImageTask {
  build: BuildPushConfig;
  /** ISO 8601 UTC, for `${run.time}`. Absent: a run of an older version. */
  runStartedAt?: string;
}

/** A step of a template that is to be run. */
export interface TemplateStepTask {
  runId: string;
  /** ISO 8601 UTC. */
  runStartedAt: string;
  step: TemplateStep;
  event: StepEvent;
}

/** What a Docker Engine says of itself. */
export interface EngineState {
  /** E.g. `20.10.24`. */
  version: string;
  /** Those that it can build for, emulated ones included. */
  platforms: string[];
}

export interface PushTask extends BuildTask {
  built: BuiltImage;
  /** Trust nothing that an earlier push remembered of the target: verify found it wrong. */
  repair: boolean;
}

export interface AccountTask {
  runId: string;
  harness: HarnessTarget;
  infra: Infra;
}

/** Overrides to set for one infra, all of them verified images. */
export interface AccountUpdateTask extends AccountTask {
  registry: string;
  connector: string;
  valueStyle: RunConfig['valueStyle'];
  updates: FieldUpdate[];
  /** When the run stops its work and reports, ISO 8601 UTC. Absent: a run of an older version. */
  deadlineAt?: string;
}

export interface RunSummaryForReport {
  runId: string;
  workflowId: string;
  startedAt: string;
  finishedAt: string;
  /** Null when the input was refused, or the run was cancelled before it was read. */
  config: RunConfig | null;
  database: DatabasePin | null;
  /** The Docker Engine that built. Absent: none. */
  engine?: EngineState;
  answeredBy: string | null;
  /** Evidence keys of the pages written by `recordOutcomes`. */
  pages: string[];
  accounts: AccountOutcome[];
  /** What ended the run early, if anything did. */
  ended: { kind: 'completed' } | { kind: 'cancelled' } | { kind: 'failed'; type: string; message: string };
  /** How the run's own steps of templates ended. Absent: there were none. */
  templateSteps?: StepEnd[];
}

export interface HolderState {
  /** `free`: nobody holds the id (any more). `held`: a live run has it, or it would not end in time. */
  state: 'free' | 'held';
  /** Who has it, for the message. */
  holder: string;
}

/**
 * Every activity by name. Each is idempotent: it reads, compares, writes and returns the final state, so any attempt on
 * any worker gives the same answer.
 */
export interface Activities {
  /** Input + the worker's environment + templates → one fixed configuration. Fails with `InvalidInput` naming every fault. */
  resolveRun(input: RunInput): Promise<RunConfig>;
  /** Checks a restore's input as `resolveRun` does a run's. */
  resolveRestore(input: RestoreInput): Promise<{ runId: string; infra: Infra[]; harness: HarnessTarget }>;
  discoverImages(task: { runId: string; config: RunConfig }): Promise<DiscoverySummary>;
  /** Plans one page of discovered images, and records it as evidence under `key`. */
  planPage(task: {
    runId: string;
    config: RunConfig;
    page: string;
  }): Promise<{ key: string; items: PlanItem[] }>;
  /** Fetches and pins the vulnerability database for the run, and checks its age. */
  pinDatabase(task: { maxAgeHours: number }): Promise<DatabasePin>;
  /** @throws `BuiltContentLost` when a `built` image is not on this worker */
  scanImage(task: ScanTask): Promise<Verdict>;
  buildImage(task: BuildTask): Promise<BuiltImage>;
  /** Runs a program that a template names; its output is kept as evidence. @throws `StepFailed` */
  runTemplateStep(task: TemplateStepTask): Promise<StepEnd>;
  /** Asks the worker's Docker Engine whether it can build. @throws `EngineUnavailable`, `EngineUnsuitable` */
  checkEngine(task: { runId: string }): Promise<EngineState>;
  /** Removes what a run left on the Docker Engine, and what dead runs left there. */
  cleanEngine(task: { runId: string }): Promise<{ removed: number }>;
  pushImage(task: PushTask): Promise<PushSummary>;
  verifyImage(task: PushTask): Promise<{ digest: Digest; platforms: number }>;
  /** Says who holds a workflow id; when its parent is closed, or in any case if `patient`, waits (bounded) for its end. */
  awaitHolder(workflowId: string, patient?: boolean): Promise<HolderState>;
  /**
   * Connector exists, its test passes, and the path that Harness computes is the path that we pushed.
   * @returns which fields must stay as they are, since the registry no longer has their image whole. Nothing in the
   *   histories of older versions.
   */
  checkAccount(task: AccountUpdateTask): Promise<{ unfit: RejectedField[] } | undefined>;
  /** Records the overrides as they are, once per run and infra: an existing snapshot is never overwritten. */
  snapshotAccount(task: AccountTask): Promise<{ key: string }>;
  /** One batch; rejected fields are dropped and the rest sent again. */
  updateAccount(
    task: AccountUpdateTask & { snapshotKey: string },
  ): Promise<Pick<AccountOutcome, 'updated' | 'rejected'>>;
  /** Fails (retryably) with `HarnessNotUpdated` until the account shows every update. */
  readBackAccount(task: AccountTask & { updates: FieldUpdate[] }): Promise<void>;
  /** Puts a run's snapshot back: values as they were, and a reset for fields that had none. */
  restoreAccount(task: AccountTask): Promise<{
    restored: number;
    reset: number;
    leftAlone: string[];
    rejected: { field: string; reason: string }[];
  }>;
  /** Gives every image of a page that was never planned its end. @returns how many they are */
  recordUnreached(task: {
    runId: string;
    discoveryPage: string;
    page: number;
    outcome: ImageOutcome;
  }): Promise<{ key: string; images: number }>;
  recordOutcomes(task: { runId: string; page: number; records: ImageRecord[] }): Promise<{ key: string }>;
  writeReport(summary: RunSummaryForReport): Promise<ReportRef>;
}
