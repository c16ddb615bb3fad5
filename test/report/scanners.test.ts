import { describe, expect, it } from 'vitest';
import type { ImageRecord } from '../../src/contract/outcome.js';
import { digestOf } from '../../src/registry/digest.js';
import { reportSchema } from '../../src/report/schema.js';
import { grype, sarif } from '../scanners/sarif-samples.js';
import { config, mirrored, unchanged, verdict } from '../support/report-fixture.js';
import { sarifSchema } from './sarif-schema.js';
import { Reports, type Vulnerability, verdictIn, vulnerabilities } from './store.js';

const ZLIB: Vulnerability = {
  VulnerabilityID: 'CVE-2022-37434',
  PkgName: 'zlib1g',
  InstalledVersion: '1:1.2.11.dfsg-2',
  Severity: 'HIGH',
  Title: 'zlib: read beyond the end',
  PrimaryURL: 'https://avd.example.com/nvd/cve-2022-37434',
};

describe('findings of several scanners', () => {
  it('are one each, with who found what in every form of the report', async () => {
    const reports = await Reports.create();
    const alone = await reports.scanned('a/b:1', {
      'linux/amd64': [ZLIB],
      'linux/arm64': [{ ...ZLIB, Severity: 'CRITICAL', FixedVersion: '1:1.2.11.dfsg-2+deb11u2' }],
    });
    const own = sarif([
      { ruleId: 'CVE-2026-1000', properties: { package: 'made-up', installed: '1', severity: 'low' } },
    ]);
    const record = await reports.beside(await reports.beside(alone, 'grype', grype()), 'own', own);
    const { json, csv, sarif: exported, html } = await reports.write([record]);
    const report = reportSchema.parse(JSON.parse(json));
    expect(report.images[0]?.findings.list).toMatchObject([
      {
        id: 'CVE-2022-37434',
        severity: 'CRITICAL',
        fixed: '1:1.2.11.dfsg-2+deb11u2',
        foundBy: ['grype', 'trivy'],
        platforms: ['linux/amd64', 'linux/arm64'],
      },
      { id: 'CVE-2026-1000', foundBy: ['own'], platforms: ['linux/amd64'] },
    ]);
    expect(report.images[0]?.platforms[0]?.scan?.others.map(({ scanner }) => scanner)).toEqual([
      'grype',
      'own',
    ]);
    expect(report.evidence.map(({ what }) => what)).toEqual(
      expect.arrayContaining([
        'output of the scanner grype, linux/amd64',
        'output of the scanner own, linux/amd64',
      ]),
    );
    expect(html).toContain('<th scope="col">Found by</th>');
    expect(html).toContain('<td>grype, trivy</td>');
    expect(html).toContain('scans/0/own/1.sarif">own</a>');
    expect(csv.split('\r\n')[0]).toContain('"url","found_by"');
    expect(csv).toContain('"grype trivy"');
    const [run] = sarifSchema.parse(JSON.parse(exported)).runs;
    expect(run?.results.map(({ properties }) => properties)).toMatchObject([
      { package: 'zlib1g', foundBy: ['grype', 'trivy'] },
      { package: 'made-up', foundBy: ['own'] },
    ]);
  });

  it('need no column where Trivy is the only scanner', async () => {
    const reports = await Reports.create();
    const { html } = await reports.write([await reports.scanned('a/b:1', { 'linux/amd64': [ZLIB] })]);
    expect(html).not.toContain('Found by');
  });

  it('of which one’s output is gone say so, and the report is written', async () => {
    const reports = await Reports.create();
    const alone = await reports.scanned('a/b:1', { 'linux/amd64': [ZLIB] });
    const record = await reports.beside(alone, 'grype', grype());
    await reports.evidence.put('scans/0/grype/1.sarif', 'changed');
    const { json } = await reports.write([record]);
    expect(reportSchema.parse(JSON.parse(json)).images[0]?.findings).toMatchObject({
      total: 0,
      unread: [
        { platform: 'linux/amd64', reason: expect.stringContaining('scans/0/grype/1.sarif was changed') },
      ],
    });
  });

  it('stay under 3 MB with 5,000 listed, and hostile names run nothing', async () => {
    const reports = await Reports.create();
    const records = await Promise.all(
      [0, 1].map(async (index) => {
        const found = vulnerabilities(3000, index * 3000);
        const alone = await reports.scanned(`a/b:${index}`, { 'linux/amd64': found, 'linux/arm64': found });
        const results = found.map(({ VulnerabilityID, PkgName, InstalledVersion, Severity }) => ({
          ruleId: `${VulnerabilityID}-${PkgName}`,
          properties: { package: PkgName, version: InstalledVersion, severity: Severity },
        }));
        const evil = { ruleId: '<script>alert(1)</script>', properties: { severity: 'critical' } };
        return reports.beside(alone, `second-scanner-${index}`, sarif([...results, evil]));
      }),
    );
    const { json, html } = await reports.write(records);
    const { findings } = reportSchema.parse(JSON.parse(json));
    expect(findings).toMatchObject({ total: 6002, listed: 5000 });
    expect(Buffer.byteLength(html)).toBeLessThan(3_000_000);
    expect(html).not.toContain('<script>alert');
  });
});

describe('an image that an engine built', () => {
  const SOURCE = verdict({ rule: 'no fixable CRITICAL on the source' });
  const BLOCK = { decision: 'block', rule: '1 fixable CRITICAL on linux/amd64 (CVE-2022-37434)' } as const;

  /** What was built on amd64, with the scan of it. */
  async function builtOf(reports: Reports, more: Parameters<typeof verdict>[0] = {}) {
    const scanned = await reports.scanned('built', { 'linux/amd64': [{ ...ZLIB, Severity: 'CRITICAL' }] });
    const { platforms } = verdictIn(scanned);
    return verdict({ ...BLOCK, platforms, ...more });
  }

  it('has both verdicts, and the findings of what was built, since that is what runs', async () => {
    const reports = await Reports.create();
    const source = await reports.scanned('a/b:1', {
      'linux/amd64': [{ ...ZLIB, VulnerabilityID: 'CVE-2020-1111' }],
      'linux/arm64': [{ ...ZLIB, VulnerabilityID: 'CVE-2020-2222' }],
    });
    const { outcome } = source;
    if (outcome.kind !== 'mirrored') throw new Error('it was mirrored');
    const builtVerdict = await builtOf(reports, { decision: 'warn', rule: 'a thing in what was built' });
    const { json, html } = await reports.write([{ ...source, outcome: { ...outcome, builtVerdict } }]);
    const report = reportSchema.parse(JSON.parse(json));
    const [image] = report.images;
    expect(image).toMatchObject({
      verdict: { decision: 'pass', thisRun: true },
      builtVerdict: { decision: 'warn', rule: 'a thing in what was built', thisRun: true },
      outcome: { note: expect.stringContaining('warning: after the build: a thing in what was built') },
      platforms: [
        { platform: 'linux/amd64', scan: { counts: { HIGH: 1 } }, builtScan: { counts: { CRITICAL: 1 } } },
        { platform: 'linux/arm64', scan: { counts: { HIGH: 1 } }, builtScan: null },
      ],
    });
    expect(image?.findings.list.map(({ id, platforms }) => [id, platforms])).toEqual([
      ['CVE-2022-37434', ['linux/amd64']],
      ['CVE-2020-2222', ['linux/arm64']],
    ]);
    expect(report.needsAttention).toMatchObject([
      { kind: 'findings', text: 'after the build: a thing in what was built' },
    ]);
    expect(report.verdict.sentence).toContain('1 has a warning');
    expect(html).toContain('<small>source: pass</small><small>after the build: warn</small>');
    expect(html).toContain('after the build: warn, a thing in what was built');
    expect(html).toContain('they are of what was built, since that is what runs');
  });

  it('is blocked by the second scan in so many words, with the findings of it', async () => {
    const reports = await Reports.create();
    const record = mirrored('a/b:1', SOURCE);
    const outcome: ImageRecord['outcome'] = {
      kind: 'blocked',
      verdict: SOURCE,
      builtVerdict: await builtOf(reports),
      steps: [],
    };
    const { json, html } = await reports.write([{ ...record, outcome }]);
    const report = reportSchema.parse(JSON.parse(json));
    expect(report.images[0]?.outcome.note).toBe(`after the build: ${BLOCK.rule}`);
    expect(report.needsAttention).toMatchObject([
      {
        kind: 'blocked',
        text: expect.stringMatching(/^after the build: 1 fixable CRITICAL.*Nothing of it was pushed/),
      },
    ]);
    expect(report.images[0]?.findings.list).toMatchObject([{ id: 'CVE-2022-37434' }]);
    expect(html).toMatch(/<strong>a\/b:1<\/strong> <span class="badge bad">.*blocked/);
  });

  it('of which a platform was only labelled is warned of by its source too', async () => {
    const reports = await Reports.create();
    const { outcome, ...record } = mirrored('a/b:1', verdict({ decision: 'warn', rule: 'a thing on arm64' }));
    if (outcome.kind !== 'mirrored') throw new Error('it was mirrored');
    const builtVerdict = await builtOf(reports, { decision: 'pass', rule: 'fine' });
    const note = async (built: typeof builtVerdict) => {
      const { json } = await reports.write([{ ...record, outcome: { ...outcome, builtVerdict: built } }]);
      return reportSchema.parse(JSON.parse(json)).images[0]?.outcome.note;
    };
    expect(await note(builtVerdict)).toContain('warning: a thing on arm64');
    const both = [
      ...builtVerdict.platforms,
      { ...(builtVerdict.platforms[0] ?? never()), platform: 'linux/arm64' },
    ];
    expect(await note({ ...builtVerdict, platforms: both })).not.toContain('warning');
  });

  it('in an earlier run is shown as that run judged it', async () => {
    const reports = await Reports.create();
    const record = unchanged('a/b:1', 'verdicts/source.json');
    await reports.evidence.put('verdicts/source.json', JSON.stringify(SOURCE));
    const target = digestOf('target a/b:1').slice('sha256:'.length);
    const earlier = await builtOf(reports, { decision: 'warn', scannedAt: '2026-02-27T02:00:00.000Z' });
    await reports.evidence.put(`verdicts/${target}.json`, JSON.stringify(earlier));
    const built = async (engine: 'registry' | 'buildkit') => {
      const { json } = await reports.write([record], {
        config: { ...config, buildPush: { ...config.buildPush, engine } },
      });
      return reportSchema.parse(JSON.parse(json)).images[0];
    };
    expect(await built('buildkit')).toMatchObject({
      verdict: { decision: 'pass' },
      builtVerdict: { decision: 'warn', thisRun: false, ageHours: 48, evidence: `verdicts/${target}.json` },
      findings: { list: [{ id: 'CVE-2022-37434' }] },
    });
    expect(await built('registry')).toMatchObject({ builtVerdict: null });
  });
});

function never(): never {
  throw new Error('the fixture has a platform');
}
