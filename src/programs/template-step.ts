import { FactoryError } from '../common/errors.js';
import type { StepContext } from '../common/step.js';
import { RESERVED_FOLDER } from '../config/program-schema.js';
import { imageVariables, type Variables } from '../config/variables.js';
import type { TemplateStepTask } from '../contract/activities.js';
import type { ReportRef } from '../contract/outcome.js';
import type { StepEnd, StepEvent } from '../contract/template-step.js';
import type { EvidenceRef } from '../contract/verdict.js';
import { scrub } from '../registry/errors.js';
import type { EvidenceStore } from '../store/evidence.js';
import { lastLine } from './output.js';
import type { Programs, ProgramTask } from './programs.js';
import { type StepAttempt, stepOutputKey } from './step-output.js';
import { ProgramFailed } from './worker-programs.js';

export interface StepDependencies {
  programs: Programs;
  evidence: EvidenceStore;
}

/**
 * Runs a step of a template and keeps what it printed as evidence, however it ended: each attempt in a place of its own.
 *
 * @throws FactoryError `StepFailed` when it did not end with code 0; it is worth as many tries as the step says
 */
export async function runTemplateStep(
  task: TemplateStepTask,
  { programs, evidence }: StepDependencies,
  context: StepContext & { attempt: StepAttempt },
): Promise<StepEnd> {
  const { step, event, runId } = task;
  const key = stepOutputKey(runId, event, context.attempt);
  const keep = (output: string): Promise<EvidenceRef> => evidence.put(key, output, context.signal);
  const failed = (why: string): FactoryError =>
    new FactoryError('StepFailed', `step ${step.name} ${why}`, { attempts: step.attempts });
  const inputs = await inputsOf(event, evidence, context.signal);
  const end = await programs
    .run({ program: step, variables: variablesOf(task), inputs }, context)
    .catch(async (error: unknown) => {
      if (!(error instanceof FactoryError) || error.type !== 'StepFailed') throw error;
      if (error instanceof ProgramFailed) await keep(error.output);
      throw failed(`failed: ${scrub(error.message)}`);
    });
  const output = await keep(end.output);
  const said = scrub(lastLine(end.output));
  if (end.code !== 0)
    throw failed(
      `${end.code === null ? 'was ended by a signal' : `ended with code ${end.code}`}: ${said === '' ? 'it said nothing' : said}`,
    );
  const { name, at } = step;
  return { name, at, ok: true, message: said === '' ? 'done' : said, ms: end.ms, output };
}

function variablesOf({ runId, runStartedAt, event }: TemplateStepTask): Variables {
  const { image } = event;
  if (image === undefined)
    return { 'run.id': runId, 'run.time': runStartedAt, 'report.json': '', 'report.html': '' };
  const { name, source, sourceDigest, target, digest = '' } = image;
  return {
    ...imageVariables({ runId, runStartedAt, source, sourceDigest }),
    image: name,
    source,
    target,
    digest,
  };
}

/** The event as a file, and after the run its report. */
async function inputsOf(
  event: StepEvent,
  evidence: EvidenceStore,
  signal: AbortSignal,
): Promise<NonNullable<ProgramTask['inputs']>> {
  const own = {
    event: {
      path: `${RESERVED_FOLDER}/event.json`,
      bytes: Buffer.from(`${JSON.stringify(event, null, 2)}\n`),
    },
  };
  const report = event.result?.report ?? null;
  return report === null ? own : { ...own, ...(await reportFiles(report, evidence, signal)) };
}

async function reportFiles({ jsonKey }: ReportRef, evidence: EvidenceStore, signal: AbortSignal) {
  const files: Record<string, { path: string; bytes: Buffer }> = {};
  for (const kind of ['json', 'html'] as const) {
    const key = jsonKey.replace(/\.json$/, `.${kind}`);
    const bytes = await evidence.get(key, signal);
    if (bytes === undefined)
      throw new FactoryError(
        'EvidenceUnavailable',
        `the report ${key} is not in the evidence store: all workers must share one REPORT_DIR`,
      );
    files[`report.${kind}`] = { path: `${RESERVED_FOLDER}/report.${kind}`, bytes };
  }
  return files;
}
