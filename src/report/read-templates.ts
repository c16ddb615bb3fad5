import type { RunSummaryForReport } from '../contract/activities.js';
import type { ImageRecord } from '../contract/outcome.js';
import type { EvidenceRef } from '../contract/verdict.js';
import { stepOutputs } from '../programs/step-output.js';
import { digestOf } from '../registry/digest.js';
import type { EvidenceStore } from '../store/evidence.js';
import { madeOf } from './verdicts.js';

/** Outputs without an end that are read for their hash: beyond so many, one looks for what they have in common. */
const OUTPUTS_READ = 200;

/** How {@link readTemplateParts} reads, and notes what a report rests on. */
interface Reading {
  read(key: string): Promise<Buffer | undefined>;
  note(what: string, key: string, digest: string): void;
  signal: AbortSignal | undefined;
}

/**
 * What templates said and what their steps left: texts, files, build logs, outputs. A text that is gone is left out, so
 * that the report is written all the same.
 */
export async function readTemplateParts(
  evidence: EvidenceStore,
  { runId, config, templateSteps = [] }: RunSummaryForReport,
  records: readonly ImageRecord[],
  { read, note, signal }: Reading,
): Promise<{ templates: Map<string, string>; stepOutputs: Map<string, EvidenceRef> }> {
  const templates = new Map<string, string>();
  for (const template of [config?.gatherScan, config?.buildPush]) {
    if (template?.text === undefined) continue;
    const { key, digest } = template.text;
    const bytes = await read(key);
    if (bytes === undefined || digestOf(bytes) !== digest) continue;
    templates.set(key, bytes.toString('utf8'));
    note(`template ${template.name}`, key, digest);
  }
  const buildkit = config?.buildPush.buildkit;
  if (buildkit !== undefined)
    note('body of the Dockerfile', buildkit.dockerfile.key, buildkit.dockerfile.digest);
  for (const { path, evidence: file } of buildkit?.files ?? [])
    note(`file of the build, ${path}`, file.key, file.digest);

  const ends = [...templateSteps];
  for (const { outcome } of records) {
    if ('templateSteps' in outcome) ends.push(...(outcome.templateSteps ?? []));
    const log = madeOf(outcome)?.log;
    if (log !== undefined) note('build log', log.key, log.digest);
  }
  const known = new Set(ends.flatMap(({ output }) => output?.key ?? []));
  for (const { name, output } of ends)
    if (output !== null) note(`output of step ${name}`, output.key, output.digest);
  // Those of earlier attempts, of steps that failed, and all of an image that failed: its workflow has no ends to tell.
  const left = (await evidence.list(stepOutputs(runId), signal)).filter((key) => !known.has(key));
  const found = new Map<string, EvidenceRef>();
  for (const { key, bytes } of await Promise.all(
    left.slice(0, OUTPUTS_READ).map(async (key) => ({ key, bytes: await read(key) })),
  )) {
    if (bytes === undefined) continue;
    found.set(key, { key, digest: digestOf(bytes) });
    note('output of a step', key, digestOf(bytes));
  }
  return { templates, stepOutputs: found };
}
