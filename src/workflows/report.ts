import type { RunSummaryForReport } from '../contract/activities.js';
import type { ImageRecord, ReportRef } from '../contract/outcome.js';
import type { PlanItem } from '../contract/plan.js';
import { reporting } from './activities.js';
import { endWithoutWork, needsWork, unfinishedEnd } from './ends.js';
import type { RunState } from './run-state.js';

/** A page of records stays well below 64 KB (design, decision 1). */
const PAGE_CHARACTERS = 40_000;

/** Gives every planned image an end, puts the records into the evidence store in pages, and writes the report. */
export async function recordAndReport(
  state: RunState,
  unfinished: readonly PlanItem[],
  summary: Omit<RunSummaryForReport, 'pages' | 'finishedAt'>,
): Promise<ReportRef> {
  for (const item of unfinished) {
    const outcome = needsWork(item) ? unfinishedEnd(summary.ended) : endWithoutWork(item);
    state.ended({ item, outcome });
  }
  state.enter('report');
  const pages: string[] = [];
  for (const [page, records] of pagesOf(state.records).entries()) {
    const { key } = await reporting.recordOutcomes.executeWithOptions({ summary: `page ${page + 1}` }, [
      { runId: state.runId, page, records },
    ]);
    pages.push(key);
  }
  return reporting.writeReport.executeWithOptions({ summary: 'report' }, [
    { ...summary, pages, finishedAt: new Date().toISOString() },
  ]);
}

function pagesOf(records: readonly ImageRecord[]): ImageRecord[][] {
  const pages: ImageRecord[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const record of records) {
    const length = JSON.stringify(record).length;
    if (size + length > PAGE_CHARACTERS) {
      pages.push([]);
      size = 0;
    }
    pages.at(-1)?.push(record);
    size += length;
  }
  return pages;
}
