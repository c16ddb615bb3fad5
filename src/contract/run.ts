import type { Digest, Reference } from './brand.js';
import type { EvidenceRef, Severity } from './verdict.js';

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

/** A file that a template names, as it was when the run was resolved: its bytes lie in the evidence store. */
export interface TemplateFile {
  /** Where the program or the build finds it: relative, with `/`, below its working directory or context. */
  path: string;
  evidence: EvidenceRef;
  /** Whether it may be run. */
  executable: boolean;
}

/** A program of the worker that a template has run: never a shell string. */
export interface Program {
  /** A name on the worker's PATH, an absolute path, or `./path` of one of `files`. */
  command: string;
  /** May hold variables of templates (`${run.id}`, …), expanded when it is run. */
  args: string[];
  /** Names of the worker's variables that it gets, each of them in `ALLOWED_STEP_ENV`; their values stay there. */
  env: string[];
  /** Put into its working directory. */
  files: TemplateFile[];
  timeoutSeconds: number;
}

/** The places of a run that every image comes to. */
export const IMAGE_HOOKS = [
  'before-scan',
  'after-scan',
  'before-build',
  'after-build',
  'before-push',
  'after-push',
] as const;

/** Where a step goes: those of an image once an image, the others once a run. */
export const HOOKS = ['before-gather', 'after-gather', ...IMAGE_HOOKS, 'after-run'] as const;
export type Hook = (typeof HOOKS)[number];

/** A step of one's own in a run. */
export interface TemplateStep extends Program {
  name: string;
  at: Hook;
  /** `fail`: the image (or run) fails with it; `warn`: it goes on, and the report says so. */
  onFailure: 'fail' | 'warn';
  /** How often it is tried. */
  attempts: number;
}

/** A scanner beside Trivy: reads an OCI layout (`${layout}`), writes SARIF 2.1.0 (`${output}`). */
export interface ExternalScanner extends Program {
  name: string;
}

export interface GatherScanConfig {
  name: string;
  digest: Digest;
  /** The template's text. Absent: a run of an older version. */
  text?: EvidenceRef;
  /** Absent: none. */
  steps?: TemplateStep[];
  /** Those beside Trivy. Absent: none. */
  scanners?: ExternalScanner[];
  sources: ('default' | 'customer')[];
  include: string[];
  exclude: string[];
  extraImages: string[];
  policy: Policy;
  policyDigest: Digest;
}

/** What a Docker Engine builds on each platform of an image (engine `buildkit`). */
export interface BuildkitConfig {
  /** What follows `FROM` in the Dockerfile. */
  dockerfile: EvidenceRef;
  buildArgs: Record<string, string>;
  /** Of the build's context. */
  files: TemplateFile[];
  /** A platform that the engine can't build: fail the image, copy it as `registry` does, or leave it out. */
  onUnbuildablePlatform: 'fail' | 'copy' | 'skip';
  /** Of `RUN`. */
  network: 'default' | 'none' | 'host';
}

export interface BuildPushConfig {
  name: string;
  /** Covers what changes bytes or tags: engine, platforms, labels, annotations, tags, and what is built. */
  templateDigest: Digest;
  engine: 'registry' | 'buildkit';
  platforms: string[];
  /** Values may hold variables of templates, but no `${env.NAME}`: those are expanded when the run is resolved. */
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** The template's text. Absent: a run of an older version. */
  text?: EvidenceRef;
  /** Absent: none. */
  steps?: TemplateStep[];
  /** Tags that a verified image gets beside its own, with variables. Absent: none. */
  extraTags?: string[];
  /** Set with engine `buildkit`, and only then. */
  buildkit?: BuildkitConfig;
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
