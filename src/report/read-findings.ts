import pLimit from 'p-limit';
import { FactoryError } from '../common/errors.js';
import type { ImageRecord } from '../contract/outcome.js';
import type { Policy } from '../contract/run.js';
import { type PlatformVerdict, SEVERITIES } from '../contract/verdict.js';
import type { JudgedFinding } from '../scanners/policy.js';
import { readFindings } from '../scanners/verdict-store.js';
import type { EvidenceStore } from '../store/evidence.js';
import { mergePlatforms } from './findings.js';
import type { ImageFindings } from './schema-parts.js';
import { clip, compare } from './text.js';

/** A scanner's output has megabytes, which are held while they are parsed. */
const READERS = 2;
/** They are what a report's time goes into; beyond so many scans a person looks at the worst. */
const SCANS_READ = 300;

const hasAny = ({ counts, suppressed }: PlatformVerdict): boolean =>
  suppressed > 0 || SEVERITIES.some((severity) => counts[severity] > 0);

/** More of the worst first; equal ones by key, so that the same scans are read each time. */
function worstFirst(a: PlatformVerdict, b: PlatformVerdict): number {
  for (const severity of SEVERITIES)
    if (a.counts[severity] !== b.counts[severity]) return b.counts[severity] - a.counts[severity];
  return compare(a.evidence.key, b.evidence.key);
}

/**
 * The findings of every image, out of the raw output of its scanners. Output that is gone, or no longer what the verdict was
 * made from, is named in `unread`: the report is written all the same.
 *
 * @param scansOf what stands for an image's platforms: see `standingScans`.
 * @param today `YYYY-MM-DD`, for the exceptions.
 * @throws FactoryError `EvidenceUnavailable` when the store can't be reached
 */
export async function readAllFindings(
  evidence: EvidenceStore,
  records: readonly ImageRecord[],
  scansOf: (record: ImageRecord) => readonly PlatformVerdict[],
  options: { policy?: Pick<Policy, 'exceptions'>; today: string; signal?: AbortSignal },
): Promise<Map<string, ImageFindings>> {
  const scans = new Map<string, PlatformVerdict>();
  for (const record of records)
    for (const platform of scansOf(record)) if (hasAny(platform)) scans.set(keyOf(platform), platform);
  const limit = pLimit(READERS);
  const read = new Map<string, JudgedFinding[] | string>();
  const wanted = [...scans].sort(([, a], [, b]) => worstFirst(a, b)).slice(0, SCANS_READ);
  await Promise.all(
    wanted.map(([key, scan]) =>
      limit(async () => void read.set(key, await findingsOf(evidence, scan, options))),
    ),
  );

  const found = new Map<string, ImageFindings>();
  for (const record of records) {
    const platforms = scansOf(record).filter(hasAny);
    const readable: { platform: string; findings: JudgedFinding[] }[] = [];
    const unread: ImageFindings['unread'] = [];
    for (const scan of platforms) {
      const findings = read.get(keyOf(scan)) ?? `more than ${SCANS_READ} scans have findings`;
      if (typeof findings === 'string') unread.push({ platform: scan.platform, reason: findings });
      else readable.push({ platform: scan.platform, findings });
    }
    const list = mergePlatforms(readable);
    found.set(clip(record.item.image, 300), { total: list.length, list, unread });
  }
  return found;
}

const keyOf = ({ evidence, others = [] }: PlatformVerdict): string =>
  [evidence, ...others.map((one) => one.evidence)].map(({ key, digest }) => `${key} ${digest}`).join(' ');

/** The findings, or why there are none to show. */
async function findingsOf(
  evidence: EvidenceStore,
  scan: PlatformVerdict,
  options: { policy?: Pick<Policy, 'exceptions'>; today: string; signal?: AbortSignal },
): Promise<JudgedFinding[] | string> {
  try {
    return await readFindings(evidence, scan, options);
  } catch (error) {
    if (!(error instanceof FactoryError)) throw error;
    // One type stands for evidence that is gone and for a store that is away; only the second may be better later.
    if (error.type === 'EvidenceUnavailable' || error.type === 'EvidenceRefused')
      await evidence.get(scan.evidence.key, options.signal);
    return error.message;
  }
}
