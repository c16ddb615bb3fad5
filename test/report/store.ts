import type { RunSummaryForReport } from '../../src/contract/activities.js';
import type { ImageRecord } from '../../src/contract/outcome.js';
import type { Verdict } from '../../src/contract/verdict.js';
import { recordOutcomes, writeReport } from '../../src/report/write.js';
import { FolderEvidenceStore } from '../../src/store/evidence-folder.js';
import { temporaryDirectory } from '../support/directory.js';
import { mirrored, platformVerdict, summary, verdict } from '../support/report-fixture.js';

/** What Trivy writes of one vulnerability. */
export interface Vulnerability {
  VulnerabilityID: string;
  PkgName: string;
  InstalledVersion: string;
  FixedVersion?: string;
  Severity: string;
  Title: string;
  PrimaryURL: string;
}

const NAMES = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'];

/** Vulnerabilities as a real scan has them: of all severities, some with a fix. */
export const vulnerabilities = (count: number, seed = 0): Vulnerability[] =>
  Array.from({ length: count }, (_, index) => ({
    VulnerabilityID: `CVE-2025-${10_000 + seed + index}`,
    PkgName: `libthing${index % 40}`,
    InstalledVersion: `1.${index % 10}.0-3+deb12u1`,
    ...(index % 2 === 0 ? { FixedVersion: `1.${index % 10}.1-1+deb12u2` } : {}),
    Severity: NAMES[Math.min(3, index % 9)] ?? 'LOW',
    Title: `libthing: heap overflow while parsing a crafted header, number ${index}`,
    PrimaryURL: `https://avd.example.com/nvd/cve-2025-${10_000 + seed + index}`,
  }));

/** The verdict on a source that was scanned. */
export function verdictIn({ outcome }: ImageRecord): Verdict {
  if (outcome.kind !== 'mirrored' || outcome.verdict === null) throw new Error('it was not scanned');
  return outcome.verdict;
}

export class Reports {
  readonly evidence: FolderEvidenceStore;

  constructor(directory: string) {
    this.evidence = new FolderEvidenceStore(directory);
  }

  static async create(): Promise<Reports> {
    return new Reports(await temporaryDirectory());
  }

  /** An image that was mirrored, with the scanner's output of each platform in the store. */
  async scanned(
    image: string,
    platforms: Record<string, Vulnerability[]>,
    more: Parameters<typeof verdict>[0] = {},
  ): Promise<ImageRecord> {
    const verdicts = Object.entries(platforms).map(async ([platform, found]) => {
      const key = `scans/${image.replace(/[^a-z0-9]/gi, '-')}-${platform.replace('/', '-')}.json`;
      const raw = JSON.stringify({
        SchemaVersion: 2,
        CreatedAt: '2026-03-01T02:03:00Z',
        Metadata: { ImageID: 'sha256:0' },
        Results: [{ Class: 'os-pkgs', Vulnerabilities: found }],
      });
      const counts: Record<string, number> = {};
      for (const { Severity } of found) counts[Severity] = (counts[Severity] ?? 0) + 1;
      return platformVerdict(platform, counts, { evidence: await this.evidence.put(key, raw) });
    });
    return mirrored(image, verdict({ platforms: await Promise.all(verdicts), ...more }));
  }

  /** The record with this scanner's output beside Trivy's on its first platform. */
  async beside(record: ImageRecord, scanner: string, output: Buffer): Promise<ImageRecord> {
    const [first, ...rest] = verdictIn(record).platforms;
    if (first === undefined) throw new Error('it has no platform');
    const evidence = await this.evidence.put(`scans/0/${scanner}/1.sarif`, output);
    const others = [...(first.others ?? []), { scanner, evidence }];
    return mirrored(record.item.image, verdict({ platforms: [{ ...first, others }, ...rest] }));
  }

  /** Writes a run's report. @returns its files */
  async write(records: readonly ImageRecord[], more: Partial<RunSummaryForReport> = {}) {
    const runId = more.runId ?? summary().runId;
    const page = await recordOutcomes(this.evidence, runId, 0, records);
    const ref = await writeReport(this.evidence, summary({ pages: [page.key], ...more }));
    const read = async (name: string): Promise<string> =>
      String(await this.evidence.get(`runs/${runId}/report.${name}`));
    return {
      ref,
      json: await read('json'),
      html: await read('html'),
      csv: await read('csv'),
      sarif: await read('sarif'),
    };
  }
}
