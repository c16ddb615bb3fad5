import { grype } from '../scanners/sarif-samples.js';
import { fleet, mirrored } from '../support/report-fixture.js';
import { Reports, verdictIn, vulnerabilities } from './store.js';

const HOSTILE = '</script><img src=x onerror=alert(1)>\u202egnp.exe';

/** A report with all there is to show: 500 findings in each large image, an earlier run, hostile names. @returns its page */
export async function sampleRun(directory: string, large = 10): Promise<string> {
  const reports = new Reports(directory);
  const before = [...fleet(3), mirrored('plugins/old:1.0')];
  await reports.write(before, { runId: 'before', finishedAt: '2026-02-28T02:00:00.000Z' });
  const evil = await reports.scanned('evil/image:1', {
    'linux/amd64': [
      {
        VulnerabilityID: 'CVE-2024-3094',
        PkgName: HOSTILE,
        InstalledVersion: `5.6.0${'x'.repeat(3000)}`,
        Severity: 'CRITICAL',
        Title: HOSTILE,
        PrimaryURL: 'javascript:alert(1)',
      },
    ],
  });
  const big = await Promise.all(
    Array.from({ length: large }, (_, index) => {
      const found = vulnerabilities(499, index * 499);
      return reports.scanned(`plugins/big-${index}:2.${index}`, {
        'linux/amd64': found,
        'linux/arm64': found,
      });
    }),
  );
  const built = await reports.scanned('plugins/built:1', { 'linux/amd64': vulnerabilities(2, 90_000) });
  if (built.outcome.kind === 'mirrored') {
    const alone = await reports.scanned('what-was-built', { 'linux/amd64': vulnerabilities(1, 91_000) });
    const scanned = verdictIn(await reports.beside(alone, 'grype', grype()));
    built.outcome.builtVerdict = { ...scanned, decision: 'warn', rule: '1 CRITICAL on linux/amd64' };
  }
  const { ref } = await reports.write([...fleet(3), evil, built, ...big], {
    ended: { kind: 'failed', type: 'ImagesFailed', message: '3 images' },
    accounts: [
      {
        infra: 'K8',
        account: 'acme',
        kind: 'updated',
        reason: '2 fields set',
        snapshotKey: 'runs/before/account.json',
        updated: [
          {
            field: 'gitCloneImage',
            value: 'registry.example.com/ci/harness/drone-git:1.7.6',
            target: mirrored('harness/drone-git:1.7.6').item.target ?? impossible(),
            before: null,
          },
        ],
        rejected: [{ field: 'newTag', value: 'x', reason: 'Harness does not know it' }],
      },
    ],
  });
  return ref.html;
}

function impossible(): never {
  throw new Error('the fixture has a target');
}
