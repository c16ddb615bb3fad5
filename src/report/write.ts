import pLimit from 'p-limit';
import { z } from 'zod';
import { FactoryError } from '../common/errors.js';
import type { RunSummaryForReport } from '../contract/activities.js';
import type { ImageRecord, ReportRef } from '../contract/outcome.js';
import type { Verdict } from '../contract/verdict.js';
import type { EvidenceStore } from '../store/evidence.js';
import { renderHtml } from './html.js';
import { buildReport } from './model.js';
import { readRecords, readVerdict } from './records.js';

/** Reads at once; a store over the network is asked in parallel, a folder hardly notices. */
const READERS = 8;
/** Where the newest report is named, for scripts. */
const LATEST = 'latest.json';

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
 * Writes `runs/<runId>/report.json`, `report.html` and the pointer `latest.json`. The same summary gives the same bytes,
 * so a retried attempt changes nothing.
 *
 * @throws FactoryError `EvidenceUnavailable`, also when a page of outcomes is missing or damaged
 */
export async function writeReport(
  evidence: EvidenceStore,
  summary: RunSummaryForReport,
  signal?: AbortSignal,
): Promise<ReportRef> {
  const limit = pLimit(READERS);
  const pages = await Promise.all(summary.pages.map((key) => limit(() => readPage(evidence, key, signal))));
  const records = pages.flat();
  const keys = new Set(
    records.flatMap(({ item, outcome }) =>
      item.state === 'unresolved' || item.lastVerdict === null || ('verdict' in outcome && outcome.verdict)
        ? []
        : [item.lastVerdict.key],
    ),
  );
  const verdicts = new Map<string, Verdict>();
  await Promise.all(
    [...keys].map((key) =>
      limit(async () => {
        const bytes = await evidence.get(key, signal);
        const verdict = bytes === undefined ? undefined : readVerdict(bytes);
        // Without it the report still has the verdict's summary, from the plan.
        if (verdict !== undefined) verdicts.set(key, verdict);
      }),
    ),
  );
  const report = buildReport(summary, records, { verdicts });
  const jsonKey = `runs/${summary.runId}/report.json`;
  const htmlKey = `runs/${summary.runId}/report.html`;
  const { digest } = await evidence.put(jsonKey, `${JSON.stringify(report, null, 2)}\n`, signal);
  await evidence.put(htmlKey, renderHtml(report), signal);
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
      digest,
    },
    signal,
  );
  return { json: evidence.locate(jsonKey), html: evidence.locate(htmlKey), jsonKey };
}

async function readPage(evidence: EvidenceStore, key: string, signal?: AbortSignal): Promise<ImageRecord[]> {
  const bytes = await evidence.get(key, signal);
  const records = bytes === undefined ? undefined : readRecords(bytes);
  if (records === undefined)
    throw new FactoryError(
      'EvidenceUnavailable',
      `the page of outcomes ${key} is ${bytes === undefined ? 'not in the evidence store' : 'damaged'}: all workers must share one REPORT_DIR`,
    );
  return records;
}

const latestSchema = z.object({ finishedAt: z.string() });

/** Names the newest report; a late retry of an older run leaves a newer one in place. */
async function pointTo(
  evidence: EvidenceStore,
  latest: { finishedAt: string; [name: string]: unknown },
  signal?: AbortSignal,
): Promise<void> {
  const bytes = await evidence.get(LATEST, signal);
  if (bytes !== undefined) {
    try {
      const held = latestSchema.safeParse(JSON.parse(bytes.toString('utf8')));
      if (held.success && held.data.finishedAt > latest.finishedAt) return;
    } catch {
      // It is no JSON: what follows mends it.
    }
  }
  await evidence.put(LATEST, `${JSON.stringify(latest, null, 2)}\n`, signal);
}
