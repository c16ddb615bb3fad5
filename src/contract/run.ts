import type { Digest, Reference } from './brand.js';
import type { Severity } from './verdict.js';

export const INFRAS = ['K8', 'VM'] as const;
export type Infra = (typeof INFRAS)[number];

/** Someone took on the risk of a finding, until a day. */
export interface PolicyException {
  /** Vulnerability id, e.g. `CVE-2023-4911`. */
  id: string;
  /** Package name; every package when absent. */
  package?: string;
  owner: string;
  reason: string;
  /** Last day it counts, `YYYY-MM-DD`. */
  expires: string;
}

/** When a finding decides, and what then happens. */
export interface Policy {
  failOn: Severity;
  /** Count only findings that a newer version fixes. */
  fixableOnly: boolean;
  action: 'warn' | 'block';
  notScannable: 'pass' | 'warn' | 'block';
  maxDatabaseAgeHours: number;
  exceptions: PolicyException[];
}

export interface GatherScanConfig {
  name: string;
  digest: Digest;
  sources: ('default' | 'customer')[];
  include: string[];
  exclude: string[];
  extraImages: string[];
  policy: Policy;
  policyDigest: Digest;
}

export interface BuildPushConfig {
  name: string;
  /** Covers only what changes bytes: engine, platforms, labels, annotations. */
  templateDigest: Digest;
  engine: 'registry';
  platforms: string[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

/** The whole run's configuration, validated and fixed once by the resolve activity. No secret in it, only names of secrets. */
export interface RunConfig {
  /** `host[:port][/prefix]` */
  registry: string;
  registryConnector: string | null;
  modifyDefault: boolean;
  maxConcurrency: number;
  harness: HarnessTarget;
  infra: Infra[];
  sourceRegistries: string[];
  include: string[];
  exclude: string[];
  valueStyle: 'qualified' | 'relative';
  scan: boolean;
  dryRun: boolean;
  gatherScan: GatherScanConfig;
  buildPush: BuildPushConfig;
}

export interface HarnessTarget {
  /** Normalised gateway URL, e.g. `https://app.harness.io/gateway`. */
  gateway: string;
  /** Whether discovery asks GraphQL first: the URL that was given ends in `/graphql`. Absent: no. */
  graphql?: boolean;
  /** `env:NAME` or `file:/path`: where the worker finds the API key. */
  apiKeySecret: string;
  /** Account id; empty when the run asks Harness nothing (`sources: []`). */
  account: string;
}

export interface FieldRef {
  infra: Infra;
  field: string;
}

/** One distinct image that the account's fields (or the template's extra images) name. */
export interface DiscoveredImage {
  /** As it was named, e.g. `harness/ci-addon:1.16.92`. */
  name: string;
  /** Where it may be found, best first; empty when it could not be read. */
  candidates: Reference[];
  target: Reference | null;
  fields: FieldRef[];
  /** Why it can't be mirrored, found before any registry was asked (bad reference, two sources for one target). */
  problem?: string;
}

/** A page of {@link DiscoveredImage}s in the evidence store. */
export interface DiscoverySummary {
  pages: string[];
  images: number;
  fields: number;
  /** Which API of Harness answered; `none` when it had not to be asked. */
  answeredBy: 'GraphQL' | 'REST' | 'none';
}
