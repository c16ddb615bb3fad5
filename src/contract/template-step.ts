import type { Digest, Reference } from './brand.js';
import type { OutcomeKind, ReportRef } from './outcome.js';
import type { BuildPushConfig, GatherScanConfig, Hook, TemplateStep } from './run.js';
import type { EvidenceRef, Verdict } from './verdict.js';

/** What a step of a template is told, as JSON in the file that `${event}` names. Version 1. */
export interface StepEvent {
  version: 1;
  at: Hook;
  step: string;
  run: { id: string; workflowId: string; startedAt: string };
  /** At a step of an image. */
  image?: {
    name: string;
    source: Reference;
    sourceDigest: Digest;
    target: Reference;
    /** What was built, from `after-build` on. */
    digest?: Digest;
  };
  /** From `after-scan` on. */
  verdict?: Pick<Verdict, 'decision' | 'rule'>;
  /** At `after-run`. */
  result?: {
    ok: boolean;
    /** What a person would be told, in one sentence. */
    sentence: string;
    counts: Record<OutcomeKind, number>;
    report: ReportRef | null;
  };
}

/** How a step of a template ended. */
export interface StepEnd {
  name: string;
  at: Hook;
  ok: boolean;
  /** One sentence; why it failed, where it did. */
  message: string;
  ms: number;
  /** What it printed: cut, without secrets. Null where it never ran to its end. */
  output: EvidenceRef | null;
}

type Templates = {
  gatherScan: Pick<GatherScanConfig, 'steps'>;
  buildPush: Pick<BuildPushConfig, 'steps'>;
};

/** The steps of both templates at a place, in their order; those of gather-scan first. */
export const stepsAt = ({ gatherScan, buildPush }: Templates, ...hooks: Hook[]): TemplateStep[] =>
  [...(gatherScan.steps ?? []), ...(buildPush.steps ?? [])].filter(({ at }) => hooks.includes(at));
