import type { RunSummaryForReport } from '../contract/activities.js';
import type { StepEnd } from '../contract/template-step.js';
import type { EvidenceRef } from '../contract/verdict.js';
import { stepOutputKey } from '../programs/step-output.js';
import type { ReportExtras } from './model.js';
import type { ReportTemplate, TemplateSteps } from './schema-parts.js';
import { clip } from './text.js';

/** A template may have 256 KiB; whoever needs more of it finds the file in the evidence store. */
const TEXT_SHOWN = 32 * 1024;

/** A template as the run had it. */
export function templateOf(
  { name, text }: { name: string; text?: EvidenceRef },
  digest: string,
  { templates }: ReportExtras,
): ReportTemplate {
  const whole = text === undefined ? undefined : templates?.get(text.key);
  return { name, digest, text: whole === undefined ? null : clip(whole, TEXT_SHOWN), file: text ?? null };
}

/** How steps ended. What one that failed had printed lies where it would lie otherwise. @param image that of the steps; undefined for the run's own */
export const stepsOf = (
  ends: readonly StepEnd[] | undefined,
  image: string | undefined,
  { runId }: Pick<RunSummaryForReport, 'runId'>,
  { stepOutputs }: ReportExtras,
): TemplateSteps =>
  (ends ?? []).map(({ name, at, ok, message, ms, output }) => ({
    name,
    at,
    ok,
    message: clip(message, 500),
    ms,
    output:
      output ??
      stepOutputs?.get(
        stepOutputKey(runId, { at, step: name, ...(image === undefined ? {} : { image: { name: image } }) }),
      ) ??
      null,
  }));
