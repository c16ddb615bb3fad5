import type { RunSummaryForReport } from '../contract/activities.js';
import type { ImageRecord, ReportRef } from '../contract/outcome.js';
import type { EvidenceStore } from '../store/evidence.js';
import { changesSince } from './changes.js';
import { summariseChanges } from './changes-summary.js';
import { renderCsv } from './csv.js';
import { exportFindings } from './findings.js';
import { renderHtml } from './html.js';
import { readInputs } from './inputs.js';
import { buildReport } from './model.js';
import { LATEST, readLatest, readPrevious } from './previous.js';
import { readAllFindings } from './read-findings.js';
import { renderSarif } from './sarif.js';
import { standingScans } from './verdicts.js';

/**
 * Puts one page of outcomes into the evidence store. The same page again writes the same bytes.
 *
 * @param page counted from 0
 * @returns the page's key, to be handed to {@link writeReport}
 * @throws FactoryError `EvidenceUnavailable`
 */
export async function recordOutcomes(
  evidence: EvidenceStore,
  runId: string,
  page: number,
  records: readonly ImageRecord[],
  signal?: AbortSignal,
): Promise<{ key: string }> {
  const key = `runs/${runId}/outcomes/${String(page).padStart(4, '0')}.json`;
  await evidence.put(key, JSON.stringify(records), signal);
  return { key };
}

/**
 * Writes `runs/<runId>/report.json`, `report.html`, `report.csv`, `report.sarif` and the pointer `latest.json`. The same
 * summary gives the same bytes, so a retried attempt changes nothing.
 *
 * @throws FactoryError `EvidenceUnavailable`, also when a page of outcomes is missing or damaged
 */
export async function writeReport(
  evidence: EvidenceStore,
  summary: RunSummaryForReport,
  signal?: AbortSignal,
): Promise<ReportRef> {
  const inputs = await readInputs(evidence, summary, signal);
  const { records, verdicts } = inputs;
  const policy = summary.config?.gatherScan.policy;
  const findings = await readAllFindings(
    evidence,
    records,
    (record) => standingScans(record, verdicts, summary.config),
    {
      today: summary.finishedAt.slice(0, 10),
      ...(policy === undefined ? {} : { policy }),
      ...(signal === undefined ? {} : { signal }),
    },
  );
  const previous = await readPrevious(evidence, summary, signal);
  const report = buildReport(summary, records, {
    verdicts,
    findings,
    evidence: inputs.files,
    traffic: inputs.traffic,
    templates: inputs.templates,
    stepOutputs: inputs.stepOutputs,
    changes: (images) =>
      previous === undefined ? null : changesSince(previous.earlier, previous.key, images),
  });
  const folder = `runs/${summary.runId}`;
  const exported = exportFindings(report.images, findings);
  const missing =
    report.findings.total -
    report.findings.exported +
    report.images.reduce((sum, image) => sum + image.findings.unread.length, 0);
  const csv = await evidence.put(`${folder}/report.csv`, renderCsv(exported), signal);
  const sarif = await evidence.put(
    `${folder}/report.sarif`,
    renderSarif(report.run, exported, missing),
    signal,
  );
  const jsonKey = `${folder}/report.json`;
  const htmlKey = `${folder}/report.html`;
  const json = await evidence.put(jsonKey, `${JSON.stringify(report, null, 2)}\n`, signal);
  const files = [
    { what: 'this report, as JSON', ...json },
    { what: 'its findings, as CSV', ...csv },
    { what: 'its findings, as SARIF', ...sarif },
  ];
  await evidence.put(htmlKey, renderHtml(report, files), signal);
  const { runId, workflowId, finishedAt } = summary;
  await pointTo(
    evidence,
    {
      version: 1,
      runId,
      workflowId,
      finishedAt,
      verdict: report.verdict,
      json: jsonKey,
      html: htmlKey,
      digest: json.digest,
    },
    signal,
  );
  return {
    json: evidence.locate(jsonKey),
    html: evidence.locate(htmlKey),
    jsonKey,
    changes: report.changes === null ? null : summariseChanges(report.changes),
  };
}

/** Names the newest report; a late retry of an older run leaves a newer one in place. */
async function pointTo(
  evidence: EvidenceStore,
  latest: { finishedAt: string; [name: string]: unknown },
  signal?: AbortSignal,
): Promise<void> {
  const held = await readLatest(evidence, signal);
  if (held !== undefined && held.finishedAt > latest.finishedAt) return;
  await evidence.put(LATEST, `${JSON.stringify(latest, null, 2)}\n`, signal);
}
