import type { RunSummaryForReport } from '../../src/contract/activities.js';
import type { ImageRecord } from '../../src/contract/outcome.js';
import type { ResolvedItem } from '../../src/contract/plan.js';
import type { RunConfig } from '../../src/contract/run.js';
import type { PlatformVerdict, Severity, SeverityCounts, Verdict } from '../../src/contract/verdict.js';
import { digestOf } from '../../src/registry/digest.js';
import { formatReference, parseReference } from '../../src/registry/reference.js';

export const REGISTRY = 'registry.example.com/ci';

export const countsOf = (some: Partial<SeverityCounts> = {}): SeverityCounts => ({
  CRITICAL: 0,
  HIGH: 0,
  MEDIUM: 0,
  LOW: 0,
  UNKNOWN: 0,
  ...some,
});

export const database = {
  updatedAt: '2026-03-01T00:10:00.000Z',
  digest: digestOf('database'),
  javaDigest: null,
};

export function platformVerdict(
  platform: string,
  some: Partial<Record<Severity, number>> = {},
  more: Partial<PlatformVerdict> = {},
): PlatformVerdict {
  const counts = countsOf(some);
  return {
    platform,
    digest: digestOf(`manifest ${platform}`),
    status: Object.values(counts).some((count) => count > 0) ? 'findings' : 'clean',
    counts,
    fixable: countsOf(),
    suppressed: 0,
    evidence: { key: `scans/${platform.replace('/', '-')}.json`, digest: digestOf('raw') },
    ...more,
  };
}

export const verdict = (more: Partial<Verdict> = {}): Verdict => ({
  decision: 'pass',
  rule: 'no fixable CRITICAL finding',
  platforms: [platformVerdict('linux/amd64', { MEDIUM: 4, LOW: 20 }), platformVerdict('linux/arm64')],
  policyDigest: digestOf('policy'),
  scannedAt: '2026-03-01T02:03:00.000Z',
  database,
  ...more,
});

export function item(image: string, more: Partial<ResolvedItem> = {}): ResolvedItem {
  return {
    image,
    fields: [{ infra: 'K8', field: `${image.split('/')[1]?.split(':')[0] ?? 'some'}Image` }],
    reason: 'the registry does not hold it',
    state: 'create',
    source: formatReference(parseReference(image)),
    sourceDigest: digestOf(`source ${image}`),
    target: formatReference(parseReference(`${REGISTRY}/${image}`)),
    targetDigest: null,
    drift: null,
    lastVerdict: null,
    ...more,
  };
}

export const mirrored = (image: string, judged: Verdict | null = verdict()): ImageRecord => ({
  item: item(image),
  outcome: {
    kind: 'mirrored',
    built: {
      digest: digestOf(`target ${image}`),
      mediaType: 'application/vnd.oci.image.index.v1+json',
      platforms: ['linux/amd64', 'linux/arm64'].map((platform) => ({
        platform,
        source: digestOf(`source ${image} ${platform}`),
        target: digestOf(`target ${image} ${platform}`),
      })),
    },
    verdict: judged,
    push: { blobs: 12, uploadedBlobs: 7, mountedBlobs: 2, uploadedBytes: 48_123_456 },
    steps: [
      { step: 'scan', at: '2026-03-01T02:03:00.000Z', ms: 8200 },
      { step: 'build', at: '2026-03-01T02:03:08.200Z', ms: 310 },
      { step: 'push', at: '2026-03-01T02:03:08.510Z', ms: 4120 },
      { step: 'verify', at: '2026-03-01T02:03:12.630Z', ms: 640 },
    ],
  },
});

export const unchanged = (image: string, key: string | null): ImageRecord => ({
  item: item(image, {
    state: 'unchanged',
    reason: 'it holds what was pushed',
    targetDigest: digestOf(`target ${image}`),
    lastVerdict:
      key === null
        ? null
        : {
            decision: 'pass',
            rule: 'no fixable CRITICAL finding',
            scannedAt: '2026-02-20T02:00:00.000Z',
            policyDigest: digestOf('policy'),
            key,
          },
  }),
  outcome: { kind: 'unchanged' },
});

export const config: RunConfig = {
  registry: REGISTRY,
  registryConnector: 'account.harnessImage',
  modifyDefault: true,
  maxConcurrency: 5,
  harness: {
    gateway: 'https://app.harness.io/gateway',
    apiKeySecret: 'env:HARNESS_API_KEY',
    account: 'acme',
  },
  infra: ['K8'],
  sourceRegistries: ['docker.io'],
  include: [],
  exclude: [],
  valueStyle: 'qualified',
  scan: true,
  dryRun: false,
  gatherScan: {
    name: 'default',
    digest: digestOf('gather-scan'),
    sources: ['default'],
    include: [],
    exclude: [],
    extraImages: [],
    policy: {
      failOn: 'CRITICAL',
      fixableOnly: true,
      action: 'block',
      notScannable: 'warn',
      maxDatabaseAgeHours: 168,
      exceptions: [],
    },
    policyDigest: digestOf('policy'),
  },
  buildPush: {
    name: 'default',
    templateDigest: digestOf('build-push'),
    engine: 'registry',
    platforms: [],
    labels: {},
    annotations: {},
  },
};

export const summary = (more: Partial<RunSummaryForReport> = {}): RunSummaryForReport => ({
  runId: '0d3f6a1e-6a55-4b6e-9d7e-2b4a3c1f0e9d',
  workflowId: 'image-factory',
  startedAt: '2026-03-01T02:00:00.000Z',
  finishedAt: '2026-03-01T02:07:30.000Z',
  config,
  database,
  answeredBy: 'REST',
  pages: [],
  accounts: [],
  ended: { kind: 'completed' },
  ...more,
});

/** One fleet with every kind of end, `quiet` more images that are as they should be, and an account. */
export function fleet(quiet: number): ImageRecord[] {
  const critical = verdict({
    decision: 'block',
    rule: '2 fixable CRITICAL findings on linux/arm64',
    platforms: [
      platformVerdict('linux/amd64', { HIGH: 3, MEDIUM: 11, LOW: 40 }),
      platformVerdict(
        'linux/arm64',
        { CRITICAL: 2, HIGH: 7, MEDIUM: 11, LOW: 40 },
        { fixable: countsOf({ CRITICAL: 2, HIGH: 5 }) },
      ),
    ],
  });
  const blind = verdict({
    decision: 'warn',
    rule: 'windows/amd64 can’t be scanned',
    platforms: [
      platformVerdict('linux/amd64'),
      platformVerdict(
        'windows/amd64',
        {},
        { status: 'not-scannable', reason: 'no package database was recognised' },
      ),
    ],
  });
  const drifted = mirrored('harness/drone-git:1.7.6');
  return [
    { item: item('plugins/kaniko:1.11.0'), outcome: { kind: 'blocked', verdict: critical, steps: [] } },
    {
      item: item('plugins/s3:1.5.4'),
      outcome: {
        kind: 'failed',
        step: 'push',
        type: 'RegistryDenied',
        message:
          'registry.example.com denies pushing to ci/plugins/s3: give the user of REGISTRY_USER push permission there',
      },
    },
    {
      item: {
        state: 'unresolved',
        image: 'harness/gone:dev',
        fields: [{ infra: 'K8', field: 'goneTag' }],
        reason: 'no source has it',
        target: null,
      },
      outcome: { kind: 'unresolved', reason: 'docker.io does not have harness/gone:dev' },
    },
    {
      ...drifted,
      item: item('harness/drone-git:1.7.6', {
        state: 'update',
        drift: 'replaced',
        targetDigest: digestOf('foreign'),
      }),
    },
    mirrored('harness/ci-addon:1.16.92', blind),
    ...Array.from({ length: quiet }, (_, index) =>
      index % 3 === 0
        ? unchanged(`plugins/quiet-${index}:1.${index}`, 'verdicts/old.json')
        : mirrored(`plugins/quiet-${index}:1.${index}`),
    ),
  ];
}
