import pLimit from 'p-limit';
import { FactoryError } from '../common/errors.js';
import { inOrder } from '../common/in-order.js';
import type { RunSummaryForReport } from '../contract/activities.js';
import type { ImageRecord } from '../contract/outcome.js';
import type { EvidenceRef, Verdict } from '../contract/verdict.js';
import { digestOf } from '../registry/digest.js';
import type { EvidenceStore } from '../store/evidence.js';
import { readTemplateParts } from './read-templates.js';
import { readRecords, readVerdict } from './records.js';
import type { EvidenceFile } from './schema-parts.js';
import { type HostTraffic, sumTraffic, trafficKeys } from './traffic.js';
import { earlierBuiltKey } from './verdicts.js';

/**
 * Reads at once: 5,000 verdicts of 2 KB at 50 ms each, as from S3, take 8 s. A page of outcomes, the largest, has some
 * tens of KB.
 */
const READERS = 32;

/** What a report is made of, as the evidence store has it. */
export interface ReportInputs {
  records: ImageRecord[];
  /** Whole verdicts of earlier runs, by key. */
  verdicts: Map<string, Verdict>;
  /** What was asked of each host, by all workers. */
  traffic: HostTraffic[];
  /** Everything that was read, and every scanner's output behind it, with its hash; each once. */
  files: EvidenceFile[];
  /** Texts of the run's templates, by key. */
  templates: Map<string, string>;
  /** Outputs of steps that no outcome refers to, by key. */
  stepOutputs: Map<string, EvidenceRef>;
}

/** @throws FactoryError `EvidenceUnavailable`, also when a page of outcomes is missing or damaged */
export async function readInputs(
  evidence: EvidenceStore,
  summary: RunSummaryForReport,
  signal?: AbortSignal,
): Promise<ReportInputs> {
  const limit = pLimit(READERS);
  const read = (key: string): Promise<Buffer | undefined> => limit(() => evidence.get(key, signal));
  const files = new Map<string, EvidenceFile>();
  const note = (what: string, key: string, digest: string): void =>
    void files.set(key, { what, key, digest });

  const pages = await inOrder(summary.pages.map(async (key) => pageOf(key, await read(key))));
  for (const { key, digest } of pages) note('outcomes of images', key, digest);
  const records = pages.flatMap((page) => page.records);

  const snapshots = summary.accounts.flatMap(({ snapshotKey }) => snapshotKey ?? []);
  const held = await inOrder(snapshots.map(async (key) => ({ key, bytes: await read(key) })));
  for (const { key, bytes } of held)
    if (bytes !== undefined) note('account before the run', key, digestOf(bytes));

  const counted: Buffer[] = [];
  for (const { key, bytes } of await inOrder(
    (await trafficKeys(evidence, summary.runId, signal)).map(async (key) => ({
      key,
      bytes: await read(key),
    })),
  )) {
    if (bytes === undefined) continue;
    counted.push(bytes);
    note('requests and bytes that a worker counted', key, digestOf(bytes));
  }

  const keys = new Set(
    records.flatMap(({ item, outcome }) =>
      item.state === 'unresolved' || item.lastVerdict === null || ('verdict' in outcome && outcome.verdict)
        ? []
        : [item.lastVerdict.key],
    ),
  );
  for (const record of records) {
    const key = earlierBuiltKey(record, summary.config);
    if (key !== undefined) keys.add(key);
  }
  const verdicts = new Map<string, Verdict>();
  for (const { key, bytes } of await inOrder(
    [...keys].map(async (key) => ({ key, bytes: await read(key) })),
  )) {
    const verdict = bytes === undefined ? undefined : readVerdict(bytes);
    // Without it the report still has the verdict's summary, from the plan.
    if (bytes === undefined || verdict === undefined) continue;
    verdicts.set(key, verdict);
    note('verdict of an earlier run', key, digestOf(bytes));
  }

  const own = records.flatMap(({ outcome }) =>
    'verdict' in outcome ? [outcome.verdict ?? [], outcome.builtVerdict ?? []].flat() : [],
  );
  for (const { platforms } of [...own, ...verdicts.values()])
    for (const { platform, evidence: raw, others = [] } of platforms) {
      note(`scanner output, ${platform}`, raw.key, raw.digest);
      for (const { scanner, evidence: output } of others)
        note(`output of the scanner ${scanner}, ${platform}`, output.key, output.digest);
    }
  const { templates, stepOutputs } = await readTemplateParts(evidence, summary, records, {
    read,
    note,
    signal,
  });
  return {
    records,
    verdicts,
    traffic: sumTraffic(counted),
    files: [...files.values()],
    templates,
    stepOutputs,
  };
}

function pageOf(key: string, bytes: Buffer | undefined) {
  const records = bytes === undefined ? undefined : readRecords(bytes);
  if (bytes === undefined || records === undefined)
    throw new FactoryError(
      'EvidenceUnavailable',
      `the page of outcomes ${key} is ${bytes === undefined ? 'not in the evidence store' : 'damaged'}: all workers must share one REPORT_DIR`,
    );
  return { key, digest: digestOf(bytes), records };
}
