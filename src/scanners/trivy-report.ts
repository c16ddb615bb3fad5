import { z } from 'zod';
import { FactoryError } from '../common/errors.js';
import type { Digest } from '../contract/brand.js';
import { SEVERITIES } from '../contract/verdict.js';
import { type Finding, type Inspection, TRIVY } from './finding.js';
import { hasAdvisories, type OperatingSystem } from './os-advisories.js';

// A tolerant view of Trivy's JSON (trivy `pkg/types/report.go`): what we do not use may change.
const vulnerability = z.object({
  VulnerabilityID: z.string(),
  PkgName: z.string(),
  InstalledVersion: z.string().catch(''),
  FixedVersion: z.string().optional(),
  Severity: z.enum(SEVERITIES).catch('UNKNOWN'),
  Title: z.string().catch(''),
  PrimaryURL: z.string().catch(''),
});

const report = z.object({
  SchemaVersion: z.literal(2),
  CreatedAt: z.string(),
  Metadata: z.object({
    ImageID: z.string(),
    OS: z.object({ Family: z.string(), Name: z.string(), EOSL: z.boolean().optional() }).optional(),
  }),
  Results: z
    .array(
      z.object({
        Class: z.string().optional(),
        Packages: z.array(z.unknown()).optional(),
        Vulnerabilities: z.array(vulnerability).optional(),
      }),
    )
    .nullish()
    .transform((results) => results ?? []),
});

/** What Trivy says where it found packages of a system, and not which system it is (0.76.0, `pkg/scan/local`). */
const UNKNOWN_SYSTEM = 'none';

/** What we act on in a report of `trivy image --list-all-pkgs --format json`. */
export interface TrivyReport {
  /** When the scan was made, ISO 8601 UTC. */
  createdAt: string;
  /** Absent when none was recognised. */
  os: OperatingSystem | undefined;
  /** Whether there are packages of a system that was not recognised, and so not looked up. */
  unknownPackages: boolean;
  /** Whether the distribution no longer publishes security updates for it. */
  endOfLife: boolean;
  osPackages: number;
  otherPackages: number;
  findings: Finding[];
}

type RawReport = z.infer<typeof report>;

const unusable = (why: string): FactoryError =>
  new FactoryError(
    'ScannerFailed',
    `Trivy's report can't be used: it ${why}; see whether this version of Trivy is supported.`,
  );

function decode(bytes: Buffer): RawReport {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw unusable('is not JSON');
  }
  const parsed = report.safeParse(json);
  if (parsed.success) return parsed.data;
  throw unusable(`has an unexpected ${parsed.error.issues[0]?.path.join('.') || 'form'}`);
}

const findingsOf = ({ Results }: RawReport): Finding[] =>
  Results.flatMap(({ Vulnerabilities }) => Vulnerabilities ?? []).map((found) => ({
    id: found.VulnerabilityID,
    package: found.PkgName,
    installed: found.InstalledVersion,
    fixed: found.FixedVersion || null,
    severity: found.Severity,
    title: found.Title,
    url: found.PrimaryURL,
    foundBy: [TRIVY],
  }));

/** The findings of Trivy's JSON alone. @throws FactoryError `ScannerFailed` when it is no report. */
export const reportFindings = (bytes: Buffer): Finding[] => findingsOf(decode(bytes));

/**
 * Reads Trivy's JSON.
 *
 * @throws FactoryError `ScannerFailed` when it is not a report of the image with this config: cut off, of another
 * schema, or of another platform.
 */
export function parseReport(bytes: Buffer, config: Digest): TrivyReport {
  const raw = decode(bytes);
  const { CreatedAt, Metadata, Results } = raw;
  if (Metadata.ImageID !== config) throw unusable('is about another image');
  if (Number.isNaN(Date.parse(CreatedAt))) throw unusable('has no time');
  const packages = (os: boolean): number =>
    Results.filter(({ Class }) => (Class === 'os-pkgs') === os).reduce(
      (sum, result) => sum + (result.Packages?.length ?? 0),
      0,
    );
  const { OS } = Metadata;
  return {
    createdAt: new Date(CreatedAt).toISOString(),
    os:
      OS === undefined || OS.Family === UNKNOWN_SYSTEM ? undefined : { family: OS.Family, version: OS.Name },
    unknownPackages: OS?.Family === UNKNOWN_SYSTEM,
    endOfLife: OS?.EOSL === true,
    osPackages: packages(true),
    otherPackages: packages(false),
    findings: findingsOf(raw),
  };
}

/**
 * What a report says, and what it leaves unsaid: Trivy has the same exit code and the same empty list for an image
 * without vulnerabilities and for one that it knows nothing about.
 *
 * @param platform as `platformOf` writes it.
 * @param buckets the top-level buckets of the database that was used.
 */
export function inspect(seen: TrivyReport, platform: string, buckets: ReadonlySet<string>): Inspection {
  const notScannable = whyNotScannable(seen, platform, buckets);
  return {
    findings: seen.findings,
    ...(notScannable === undefined ? {} : { notScannable }),
    ...(seen.endOfLife && seen.os !== undefined ? { endOfLife: nameOf(seen.os) } : {}),
    ...(seen.os === undefined && notScannable === undefined ? { languagesOnly: true } : {}),
  };
}

const nameOf = ({ family, version }: OperatingSystem): string => `${family} ${version}`.trim();

function whyNotScannable(
  { os, unknownPackages, osPackages, otherPackages }: TrivyReport,
  platform: string,
  buckets: ReadonlySet<string>,
): string | undefined {
  if (platform.startsWith('windows/')) return 'Trivy does not know Windows';
  if (os === undefined) {
    if (unknownPackages) return 'it has packages of an operating system that Trivy does not know';
    // A static program without a system around it is scannable by the packages that it was built from.
    return otherPackages > 0
      ? undefined
      : 'no operating system that Trivy knows and no package was recognised';
  }
  const name = nameOf(os);
  if (!hasAdvisories(os, buckets)) return `the vulnerability database has nothing about ${name}`;
  return osPackages > 0 ? undefined : `${name} was recognised, but no package of it`;
}
