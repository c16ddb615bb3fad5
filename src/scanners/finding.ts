import type { Severity } from '../contract/verdict.js';

/** One vulnerability in one installed package, as reports show it. */
export interface Finding {
  /** E.g. `CVE-2022-37434`. */
  id: string;
  package: string;
  installed: string;
  /** The version that mends it; null when there is none. */
  fixed: string | null;
  severity: Severity;
  title: string;
  url: string;
  /** Names of the scanners that found it, sorted. */
  foundBy: string[];
}

/** The name of Trivy among those that found something; no other scanner may have it. */
export const TRIVY = 'trivy';

/** What a scanner saw on one platform, before any policy. */
export interface Inspection {
  findings: Finding[];
  /** Why nothing, or not everything, is known; absent when all of it was looked up. */
  notScannable?: string;
  /** The system, when its distribution no longer looks after it: what it has is incomplete. */
  endOfLife?: string;
  /**
   * No operating system was recognised, so only packages of languages were looked up. That is all there is in a static
   * image; a report does not tell whether it is one, or has a system that Trivy does not know.
   */
  languagesOnly?: boolean;
}
