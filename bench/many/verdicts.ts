import pLimit from 'p-limit';
import type { Digest } from '../../src/contract/brand.js';
import { hexOf } from '../../src/registry/digest.js';
import { writeVerdict } from '../../src/scanners/verdict-store.js';
import type { EvidenceStore } from '../../src/store/evidence.js';
import type { SmallImage } from './fleet.js';

/** Every so manieth image has a megabyte of scanner output; at 5,000 images that is nearly all that a report reads. */
export const LARGE_EACH = 17;
const LARGE = { findings: 200, bytes: 1_000_000 };
const SMALL = { findings: 3, bytes: 5_000 };

/** What Trivy writes of one image: vulnerabilities, and packages up to the size. */
function scannerOutput({ findings, bytes }: typeof LARGE, name: string): string {
  const Vulnerabilities = Array.from({ length: findings }, (_, n) => ({
    VulnerabilityID: `CVE-2026-${10_000 + n}`,
    PkgName: `library${n % 40}`,
    InstalledVersion: `1.${n % 10}.0-3`,
    ...(n % 2 === 0 ? { FixedVersion: `1.${n % 10}.1-1` } : {}),
    Severity: n === 0 ? 'HIGH' : 'LOW',
    Title: `library${n % 40}: heap overflow while parsing a crafted header`,
    PrimaryURL: `https://avd.example.com/nvd/cve-2026-${10_000 + n}`,
  }));
  const Packages = Array.from({ length: Math.ceil(bytes / 150) }, (_, n) => ({
    ID: `library${n}@1.0.0`,
    Name: `library${n}`,
    Version: '1.0.0',
    Identifier: { PURL: `pkg:deb/debian/library${n}@1.0.0?arch=amd64&distro=debian-12` },
  }));
  return JSON.stringify({
    SchemaVersion: 2,
    CreatedAt: '2026-03-01T02:03:00Z',
    ArtifactName: name,
    Metadata: { ImageID: 'sha256:0' },
    Results: [{ Class: 'os-pkgs', Packages, Vulnerabilities }],
  });
}

/**
 * Puts a verdict and scanner output of each image into the evidence store, as a scan would have left them: Trivy itself
 * needs about a second an image, which measures Trivy.
 *
 * @param policyDigest the run's own, so that its plan takes the verdicts.
 */
export async function recordVerdicts(
  evidence: EvidenceStore,
  images: readonly SmallImage[],
  policyDigest: Digest,
): Promise<void> {
  const limit = pLimit(8);
  await Promise.all(
    images.map((image, n) =>
      limit(() => recordOne(evidence, image, n % LARGE_EACH === 0 ? LARGE : SMALL, policyDigest)),
    ),
  );
}

async function recordOne(
  evidence: EvidenceStore,
  { name, digest }: SmallImage,
  size: typeof LARGE,
  policyDigest: Digest,
): Promise<void> {
  const raw = await evidence.put(`scans/${hexOf(digest)}/bench.json`, scannerOutput(size, name));
  const none = { CRITICAL: 0, HIGH: 0, MEDIUM: 0, LOW: 0, UNKNOWN: 0 };
  await writeVerdict(evidence, digest, [], {
    decision: 'pass',
    rule: 'no fixable CRITICAL finding',
    policyDigest,
    scannedAt: '2026-03-01T02:03:00.000Z',
    database: { updatedAt: '2026-03-01T00:10:00.000Z', digest: null, javaDigest: null },
    platforms: [
      {
        platform: 'linux/amd64',
        digest,
        status: 'findings',
        counts: { ...none, HIGH: 1, LOW: size.findings - 1 },
        fixable: { ...none, HIGH: 1, LOW: Math.ceil(size.findings / 2) - 1 },
        suppressed: 0,
        evidence: raw,
      },
    ],
  });
}
