import type { Digest } from './brand.js';

export const SEVERITIES = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW', 'UNKNOWN'] as const;
export type Severity = (typeof SEVERITIES)[number];
export type SeverityCounts = Record<Severity, number>;

/** Where a larger thing lies in the evidence store, and what its bytes hash to. */
export interface EvidenceRef {
  key: string;
  digest: Digest;
}

/** What the scanner saw on one platform. `not-scannable` is never `clean`: nothing was recognised, so nothing is known. */
export interface PlatformVerdict {
  platform: string;
  /** The platform's own image manifest. */
  digest: Digest;
  status: 'clean' | 'findings' | 'not-scannable';
  /** Distinct (vulnerability, package) pairs after exceptions. */
  counts: SeverityCounts;
  /** Those of `counts` that a newer package version fixes. */
  fixable: SeverityCounts;
  /** Findings that an exception of the policy took out; listed in the report. */
  suppressed: number;
  /** Why it is not scannable, in one sentence. */
  reason?: string;
  /** The scanner's raw, unfiltered JSON. */
  evidence: EvidenceRef;
  /** What scanners beside Trivy wrote, by their names. Absent: there were none. */
  others?: { scanner: string; evidence: EvidenceRef }[];
}

/** What the policy says of an image, over all its platforms. Data, so that the workflow decides on it alone. */
export interface Verdict {
  decision: 'pass' | 'warn' | 'block';
  /** Which rule decided, in one sentence. */
  rule: string;
  platforms: PlatformVerdict[];
  policyDigest: Digest;
  /** When the scanner looked, ISO 8601 UTC. */
  scannedAt: string;
  /** The vulnerability database it used. */
  database: DatabasePin;
}

/** The vulnerability database, fixed once for a run. */
export interface DatabasePin {
  /** The database's own time stamp, ISO 8601 UTC. */
  updatedAt: string;
  /** The OCI digest it was fetched by; null when the worker uses a database it already had (`TRIVY_SKIP_DB_UPDATE`). */
  digest: Digest | null;
  javaDigest: Digest | null;
}
