import { describe, expect, it } from 'vitest';
import { reportSchema } from '../../src/report/schema.js';
import { config } from '../support/report-fixture.js';
import { sarifSchema } from './sarif-schema.js';
import { Reports, type Vulnerability, vulnerabilities } from './store.js';

const one = (more: Partial<Vulnerability> = {}): Vulnerability => ({
  VulnerabilityID: 'CVE-2024-3094',
  PkgName: 'liblzma5',
  InstalledVersion: '5.6.0',
  FixedVersion: '5.6.1+really5.4.5',
  Severity: 'CRITICAL',
  Title: 'xz: malicious code in distributed source',
  PrimaryURL: 'https://avd.example.com/nvd/cve-2024-3094',
  ...more,
});
const bothPlatforms = (found: Vulnerability[]) => ({ 'linux/amd64': found, 'linux/arm64': found });

describe('findings in the report', () => {
  it('are named once, with the platforms that have them and the exception that takes them out', async () => {
    const reports = await Reports.create();
    const image = await reports.scanned('a/b:1', {
      'linux/amd64': [one(), one({ VulnerabilityID: 'CVE-1', Severity: 'LOW', FixedVersion: '' })],
      'linux/arm64': [one()],
    });
    const exception = { id: 'CVE-2024-3094', owner: 'alice', reason: 'no sshd', expires: '2026-12-31' };
    const { gatherScan } = config;
    const policy = { ...gatherScan.policy, exceptions: [exception] };
    const { json, csv, sarif, html } = await reports.write([image], {
      config: { ...config, gatherScan: { ...gatherScan, policy } },
    });
    const [found] = reportSchema.parse(JSON.parse(json)).images.map(({ findings }) => findings);
    expect(found?.list).toMatchObject([
      { id: 'CVE-1', fixed: null, platforms: ['linux/amd64'], suppressed: null },
      {
        id: 'CVE-2024-3094',
        platforms: ['linux/amd64', 'linux/arm64'],
        suppressed: { owner: 'alice', reason: 'no sshd', expires: '2026-12-31' },
      },
    ]);
    expect(html).toContain('Excepted by alice until 2026-12-31: no sshd');
    expect(csv.split('\r\n')).toHaveLength(4);
    expect(csv).toContain('"alice","no sshd","2026-12-31"');
    const [run] = sarifSchema.parse(JSON.parse(sarif)).runs;
    expect(run?.tool.driver.rules.map(({ id }) => id)).toEqual(['CVE-1', 'CVE-2024-3094']);
    expect(run?.results[1]).toMatchObject({ level: 'error', suppressions: [{ status: 'accepted' }] });
    expect(run?.results[1]?.locations.map(({ logicalLocations: [at] }) => at?.fullyQualifiedName)).toEqual([
      'a/b:1/linux/amd64/liblzma5',
      'a/b:1/linux/arm64/liblzma5',
    ]);
  });

  it('say which scanner output is gone or was changed, and are reported all the same', async () => {
    const reports = await Reports.create();
    const image = await reports.scanned('a/b:1', bothPlatforms([one()]));
    await reports.evidence.put('scans/a-b-1-linux-amd64.json', '{}');
    const { json, html } = await reports.write([image]);
    const [found] = reportSchema.parse(JSON.parse(json)).images.map(({ findings }) => findings);
    expect(found).toMatchObject({ total: 1, unread: [{ platform: 'linux/amd64' }] });
    expect(html).toContain('linux/amd64: not read, ');
  });

  it('stay under 3 MB however many and however long they are, and the rest is named', async () => {
    for (const long of ['', '<'.repeat(5000)]) {
      const reports = await Reports.create();
      const records = await Promise.all(
        [0, 1, 2].map((index) =>
          reports.scanned(
            `a/b:${index}`,
            bothPlatforms(
              vulnerabilities(2500, index * 2500).map((found) => ({
                ...found,
                Title: `${found.Title}${long}`,
              })),
            ),
          ),
        ),
      );
      const { json, html, csv } = await reports.write(records);
      const { findings } = reportSchema.parse(JSON.parse(json));
      expect(findings).toMatchObject({ total: 7500, exported: 7500 });
      expect(findings.listed).toEqual(long === '' ? 5000 : expect.any(Number));
      expect(html).toMatch(/\d+ more are not listed here\..*scans\/a-b-2-linux-amd64\.json/);
      expect(Buffer.byteLength(html)).toBeLessThan(3_000_000);
      expect(csv.split('\r\n')).toHaveLength(7502);
    }
  });
});

describe('the table for spreadsheets', () => {
  it('runs no formula, whatever a package is called', async () => {
    const reports = await Reports.create();
    const names = ['=1+1', '+1', '-1', '@SUM(A1)', ' =1', '\t=1', 'a"b,c\nd'];
    const image = await reports.scanned('a/b:1', { 'linux/amd64': names.map((PkgName) => one({ PkgName })) });
    const { csv } = await reports.write([image]);
    const cells = csv.split('\r\n').flatMap((line) => line.match(/"(?:[^"]|"")*"/g) ?? []);
    expect(cells.filter((cell) => /^"\s*[=+\-@]/.test(cell))).toEqual([]);
    for (const safe of [`"'=1+1"`, `"'@SUM(A1)"`, '"a""b,c d"']) expect(cells).toContain(safe);
  });
});
