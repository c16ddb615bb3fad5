import { describe, expect, it } from 'vitest';
import type { Policy } from '../../src/contract/run.js';
import { digestOf } from '../../src/registry/digest.js';
import type { Finding } from '../../src/scanners/finding.js';
import { applyExceptions, judge, type PlatformScan } from '../../src/scanners/policy.js';

const TODAY = '2026-11-23';
const POLICY: Policy = {
  failOn: 'CRITICAL',
  fixableOnly: true,
  action: 'block',
  notScannable: 'warn',
  maxDatabaseAgeHours: 48,
  exceptions: [],
};
const ZLIB: Finding = {
  id: 'CVE-2022-37434',
  package: 'zlib1g',
  installed: '1:1.2.11.dfsg-2',
  fixed: '1:1.2.11.dfsg-2+deb11u2',
  severity: 'CRITICAL',
  title: 'zlib: heap-based buffer over-read',
  url: '',
  foundBy: ['trivy'],
};
const GLIBC: Finding = { ...ZLIB, id: 'CVE-2023-4911', package: 'libc6', severity: 'HIGH' };

const scan = (platform: string, findings: Finding[], notScannable?: string): PlatformScan => ({
  platform,
  digest: digestOf(platform),
  evidence: { key: `scans/${platform}.json`, digest: digestOf('') },
  findings,
  ...(notScannable === undefined ? {} : { notScannable }),
});

describe('the policy', () => {
  it('passes an image without findings and says on how many platforms', () => {
    const verdict = judge([scan('linux/amd64', []), scan('linux/arm64', [])], POLICY, TODAY);
    expect(verdict.decision).toBe('pass');
    expect(verdict.rule).toBe('no fixable CRITICAL on any of 2 platforms');
    expect(verdict.platforms.map(({ status }) => status)).toEqual(['clean', 'clean']);
  });

  it('says that a pass is worth less when the system is no longer looked after', () => {
    const old = { ...scan('linux/amd64', []), endOfLife: 'alpine 3.19.8' };
    expect(judge([old], POLICY, TODAY)).toMatchObject({
      decision: 'pass',
      rule: 'no fixable CRITICAL on linux/amd64; alpine 3.19.8 no longer gets security updates',
    });
  });

  it('blocks for the one platform that is bad, and names vulnerability, package and fix', () => {
    const verdict = judge([scan('linux/amd64', []), scan('linux/arm64', [ZLIB])], POLICY, TODAY);
    expect(verdict.decision).toBe('block');
    expect(verdict.rule).toBe(
      '1 fixable CRITICAL on linux/arm64 (CVE-2022-37434 in zlib1g 1:1.2.11.dfsg-2, fixed in 1:1.2.11.dfsg-2+deb11u2)',
    );
  });

  it('only warns when the policy says so', () => {
    expect(judge([scan('linux/amd64', [ZLIB])], { ...POLICY, action: 'warn' }, TODAY).decision).toBe('warn');
  });

  it('lets the worst platform speak', () => {
    const scans = [scan('linux/amd64', [GLIBC, GLIBC]), scan('linux/arm64', [ZLIB])];
    const { rule } = judge(scans, { ...POLICY, failOn: 'HIGH' }, TODAY);
    expect(rule).toMatch(/^1 fixable CRITICAL on linux\/arm64/);
  });

  it('counts a vulnerability once for each package, and as fixable if any copy of it is', () => {
    const twice = [{ ...ZLIB, fixed: null }, ZLIB, { ...ZLIB, package: 'zlib1g-dev' }];
    const [platform] = judge([scan('linux/amd64', twice)], POLICY, TODAY).platforms;
    expect(platform?.counts.CRITICAL).toBe(2);
    expect(platform?.fixable.CRITICAL).toBe(2);
  });

  it('makes one finding of what several scanners found, of the worst and with what only another one knew', () => {
    const found: Finding[] = [
      { ...ZLIB, severity: 'HIGH', fixed: null, foundBy: ['trivy'] },
      { ...ZLIB, installed: '', title: '', fixed: '2', foundBy: ['grype'] },
      { ...ZLIB, severity: 'LOW', fixed: '3', foundBy: ['own'] },
    ];
    const [one, ...rest] = applyExceptions(found, [], TODAY);
    expect(one).toEqual({ ...ZLIB, fixed: '2', foundBy: ['grype', 'own', 'trivy'] });
    expect(rest).toEqual([]);
    const [platform] = judge([scan('linux/amd64', found)], POLICY, TODAY).platforms;
    expect(platform).toMatchObject({ counts: { CRITICAL: 1, HIGH: 0 }, fixable: { CRITICAL: 1 } });
  });

  it('takes a finding out by its exception whoever found it, and names one that is in no package', () => {
    const key: Finding = {
      ...ZLIB,
      id: 'KEY',
      package: 'root/k.pem',
      installed: '',
      fixed: null,
      foundBy: ['own'],
    };
    const exception = { id: 'KEY', package: 'root/k.pem', owner: 'ci', reason: 'a test key', expires: TODAY };
    const strict = { ...POLICY, fixableOnly: false };
    expect(judge([scan('a', [key])], strict, TODAY).rule).toBe(
      '1 CRITICAL on a (KEY in root/k.pem, no fix yet)',
    );
    expect(judge([scan('a', [{ ...key, package: '' }])], strict, TODAY).rule).toBe(
      '1 CRITICAL on a (KEY, no fix yet)',
    );
    expect(judge([scan('a', [key])], { ...strict, exceptions: [exception] }, TODAY).decision).toBe('pass');
  });

  it('lets pass what has no fix, unless the policy counts that too', () => {
    const scans = [scan('linux/amd64', [{ ...ZLIB, fixed: null }])];
    expect(judge(scans, POLICY, TODAY)).toMatchObject({
      decision: 'pass',
      platforms: [{ status: 'findings' }],
    });
    const strict = judge(scans, { ...POLICY, fixableOnly: false }, TODAY);
    expect(strict.decision).toBe('block');
    expect(strict.rule).toContain('no fix yet');
  });

  it.each([
    ['CRITICAL', 'pass'],
    ['HIGH', 'block'],
    ['LOW', 'block'],
  ] as const)('with fail-on %s a HIGH finding means %s', (failOn, decision) => {
    expect(judge([scan('linux/amd64', [GLIBC])], { ...POLICY, failOn }, TODAY).decision).toBe(decision);
  });

  describe('with an exception', () => {
    const exception = { id: ZLIB.id, owner: 'ci-team', reason: 'not reachable', expires: TODAY };

    it('leaves the finding out through its last day, and says so', () => {
      const policy = { ...POLICY, exceptions: [exception] };
      const verdict = judge([scan('linux/amd64', [ZLIB])], policy, TODAY);
      expect(verdict.decision).toBe('pass');
      expect(verdict.rule).toBe('no fixable CRITICAL on linux/amd64 (1 suppressed by exceptions)');
      expect(verdict.platforms[0]).toMatchObject({ suppressed: 1, counts: { CRITICAL: 0 }, status: 'clean' });
    });

    it('counts the finding again the day after, and names who had taken it on', () => {
      const verdict = judge(
        [scan('linux/amd64', [ZLIB])],
        { ...POLICY, exceptions: [exception] },
        '2026-11-24',
      );
      expect(verdict.decision).toBe('block');
      expect(verdict.rule).toMatch(/the exception of ci-team for CVE-2022-37434 expired on 2026-11-23$/);
    });

    it('for one package leaves the others in', () => {
      const policy = { ...POLICY, exceptions: [{ ...exception, package: 'zlib1g-dev' }] };
      expect(judge([scan('linux/amd64', [ZLIB])], policy, TODAY).decision).toBe('block');
    });
  });

  describe('of what can not be scanned', () => {
    const blind = scan('linux/arm64', [], 'no operating system was recognised');

    it.each(['pass', 'warn', 'block'] as const)('has a setting of its own: %s', (notScannable) => {
      const verdict = judge([scan('linux/amd64', []), blind], { ...POLICY, notScannable }, TODAY);
      expect(verdict.decision).toBe(notScannable);
      expect(verdict.rule).toBe('linux/arm64 is not scannable: no operating system was recognised');
      expect(verdict.platforms[1]).toMatchObject({ status: 'not-scannable', reason: blind.notScannable });
    });

    it('names every platform by why, and no more than a few of them', () => {
      const ruleOf = (...scans: PlatformScan[]) => judge(scans, POLICY, TODAY).rule;
      const other = scan('windows/amd64', [], 'Trivy does not know Windows');
      expect(ruleOf({ ...blind, platform: 'linux/amd64' }, scan('linux/s390x', []), blind)).toBe(
        'linux/amd64, linux/arm64 are not scannable: no operating system was recognised',
      );
      expect(ruleOf(blind, other)).toBe(
        'linux/arm64 is not scannable: no operating system was recognised; windows/amd64 is not scannable: Trivy does not know Windows',
      );
      const many = ['a', 'b', 'c', 'd', 'e', 'f'].map((platform) => ({ ...blind, platform }));
      const third = [scan('x', [], 'third'), scan('y', [], 'fourth')];
      expect(ruleOf(...many, other, ...third)).toBe(
        'a, b, c, d and 2 more are not scannable: no operating system was recognised; windows/amd64 is not scannable: Trivy does not know Windows; and 2 more for other reasons',
      );
    });

    it('never hides a finding', () => {
      const both = scan('linux/amd64', [ZLIB], 'the database has nothing about debian 99');
      expect(judge([both], { ...POLICY, notScannable: 'pass' }, TODAY)).toMatchObject({
        decision: 'block',
        platforms: [{ status: 'not-scannable', counts: { CRITICAL: 1 } }],
      });
      const stricter = judge([both], { ...POLICY, action: 'warn', notScannable: 'block' }, TODAY);
      expect(stricter.decision).toBe('block');
      expect(stricter.rule).toContain('debian 99');
    });
  });
});
