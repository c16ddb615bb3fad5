import type { RunSummaryForReport } from '../contract/activities.js';
import type { StepEnd } from '../contract/template-step.js';
import type { EvidenceRef } from '../contract/verdict.js';
import { executionOf, stepOutputFolder } from '../programs/step-output.js';
import type { ReportExtras } from './model.js';
import type { ReportTemplate, TemplateSteps } from './schema-parts.js';
import { clip, compare } from './text.js';

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

/**
 * How steps ended. What one that failed had printed is found where its step's outputs lie.
 *
 * @param image that of the steps; undefined for the run's own
 */
export function stepsOf(
  ends: readonly StepEnd[] = [],
  image: string | undefined,
  { runId }: Pick<RunSummaryForReport, 'runId'>,
  { stepOutputs = new Map<string, EvidenceRef>() }: ReportExtras,
): TemplateSteps {
  const folderOf = ({ at, name }: StepEnd): string =>
    stepOutputFolder(runId, { at, step: name, ...(image === undefined ? {} : { image: { name: image } }) });
  const ofFailed = new Map<StepEnd, EvidenceRef>();
  for (const folder of new Set(ends.map(folderOf))) {
    const here = ends.filter((end) => folderOf(end) === folder);
    const failed = here.filter(({ output }) => output === null);
    const told = new Set(here.flatMap(({ output }) => (output === null ? [] : executionOf(output.key))));
    const last = new Map<string, EvidenceRef>();
    const keys = [...stepOutputs.keys()].filter((key) => key.startsWith(folder)).sort(compare);
    for (const key of keys) {
      const ref = stepOutputs.get(key);
      if (ref !== undefined && !told.has(executionOf(key))) last.set(executionOf(key), ref);
    }
    // Some never ran, and printed nothing: where it can't be told whose an output is, it is nobody's.
    if (last.size === failed.length)
      for (const [index, ref] of [...last.values()].entries()) {
        const end = failed[index];
        if (end !== undefined) ofFailed.set(end, ref);
      }
  }
  return ends.map((end) => ({
    name: end.name,
    at: end.at,
    ok: end.ok,
    message: clip(end.message, 500),
    ms: end.ms,
    output: end.output ?? ofFailed.get(end) ?? null,
  }));
}
