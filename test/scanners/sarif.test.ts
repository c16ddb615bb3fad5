import { describe, expect, it } from 'vitest';
import { sarifFindings } from '../../src/scanners/sarif.js';
import { MAX_SARIF_BYTES, MAX_SARIF_RESULTS } from '../../src/scanners/sarif-document.js';
import { grype, osv, sarif, snyk, trivy } from './sarif-samples.js';

const ZLIB = {
  id: 'CVE-2022-37434',
  package: 'zlib1g',
  installed: '1:1.2.11.dfsg-2',
  fixed: '1:1.2.11.dfsg-2+deb11u2',
  severity: 'CRITICAL',
};

describe('the findings in SARIF', () => {
  it('as Grype writes it have the vulnerability without the package, and both versions', () => {
    expect(sarifFindings(grype(), 'grype')).toEqual([
      {
        ...ZLIB,
        title: 'CVE-2022-37434 critical vulnerability for zlib1g package',
        url: '',
        foundBy: ['grype'],
      },
    ]);
  });

  it('as older Grypes write it are read too', () => {
    const bytes = sarif(
      [
        {
          ruleId: 'CVE-2022-37434-zlib1g',
          message: {
            text: 'The path /var/lib/dpkg/status reports zlib1g at version 1:1.2.11.dfsg-2  which is a vulnerable (deb) package installed in the container',
          },
        },
      ],
      [
        {
          id: 'CVE-2022-37434-zlib1g',
          shortDescription: { text: 'CVE-2022-37434 critical vulnerability for zlib1g package' },
          fullDescription: {
            text: 'Version 1:1.2.11.dfsg-2 is affected with an available fix in versions 1:1.2.11.dfsg-2+deb11u2',
          },
        },
      ],
    );
    expect(sarifFindings(bytes, 'grype')).toMatchObject([ZLIB]);
  });

  it('name a package of a language as Trivy does, by its package URL', () => {
    const purls = ['pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1?type=jar'];
    const bytes = grype({
      id: 'GHSA-jfh8-c2jp-5v3q',
      name: 'log4j-core',
      version: '2.14.1',
      fixed: '2.15.0',
      properties: { purls },
    });
    expect(sarifFindings(bytes, 'grype')).toMatchObject([
      {
        id: 'GHSA-jfh8-c2jp-5v3q',
        package: 'org.apache.logging.log4j:log4j-core',
        installed: '2.14.1',
        fixed: '2.15.0',
      },
    ]);
    const one = (purl: string) =>
      sarifFindings(sarif([{ ruleId: 'CVE-2020-1000', properties: { purl } }]), 's')[0];
    expect(one('pkg:npm/%40babel/core@7.0.0')).toMatchObject({ package: '@babel/core', installed: '7.0.0' });
    expect(one('pkg:deb/debian/libc6@2.31-13%2Bdeb11u3?arch=amd64')).toMatchObject({
      package: 'libc6',
      installed: '2.31-13+deb11u3',
    });
    expect(one('pkg:golang/golang.org/x/net@v0.1.0#http2')).toMatchObject({ package: 'golang.org/x/net' });
    expect(one('pkg:npm/%E0%A4%A')).toMatchObject({ package: '%E0%A4%A' });
  });

  it('as Trivy writes it are of the package in each result, not of the one in the shared rule', () => {
    const packages = [
      { name: 'zlib1g', version: '1', fixed: '2', severity: 'CRITICAL' },
      { name: 'zlib1g-dev', version: '1', fixed: '', severity: 'LOW' },
    ];
    expect(sarifFindings(trivy(packages), 'second')).toMatchObject([
      {
        id: ZLIB.id,
        package: 'zlib1g',
        installed: '1',
        fixed: '2',
        severity: 'CRITICAL',
        title: 'zlib: read beyond the end',
        url: 'https://avd.aquasec.com/nvd/cve-2022-37434',
      },
      { id: ZLIB.id, package: 'zlib1g-dev', installed: '1', fixed: null, severity: 'LOW' },
    ]);
  });

  it('as Snyk writes it are one for each CVE, in the package of the system without its source package', () => {
    const found = sarifFindings(snyk(), 'snyk');
    expect(found).toMatchObject([ZLIB, { ...ZLIB, id: 'CVE-2022-99999' }]);
  });

  it('as osv-scanner writes it have the fixed version of their own package, by any of its ids', () => {
    expect(sarifFindings(osv(), 'osv')).toMatchObject([
      {
        id: 'CVE-2021-44906',
        package: '@scope/minimist',
        installed: '1.2.5',
        fixed: '1.2.6',
        severity: 'MEDIUM',
      },
    ]);
  });

  it('of a writer with properties need no text', () => {
    const properties = {
      package: 'openssl',
      installedVersion: '3.0.1',
      fixed_version: '3.0.2',
      severity: 'Important',
    };
    expect(sarifFindings(sarif([{ ruleId: 'cve-2022-0778', properties }]), 'own')).toMatchObject([
      { id: 'CVE-2022-0778', package: 'openssl', installed: '3.0.1', fixed: '3.0.2', severity: 'HIGH' },
    ]);
  });

  it('that name no package are told by the file that they are in', () => {
    const at = [{ physicalLocation: { artifactLocation: { uri: 'root/.aws/credentials' } } }];
    const [found] = sarifFindings(sarif([{ ruleId: 'aws-secret', locations: at }]), 'secrets');
    expect(found).toMatchObject({ id: 'aws-secret', package: 'root/.aws/credentials', fixed: null });
  });

  it('of another database lose the package behind their id', () => {
    const properties = { package: 'zlib' };
    const found = sarifFindings(
      sarif([
        { ruleId: 'ELSA-2022-7106-zlib', properties },
        { ruleId: 'zlib', properties },
      ]),
      's',
    );
    expect(found.map(({ id }) => id)).toEqual(['ELSA-2022-7106', 'zlib']);
  });

  describe('have a severity', () => {
    const severityOf = (result: object, rule: object = {}) =>
      sarifFindings(
        sarif([{ ruleId: 'CVE-2020-1000', ...result }], [{ id: 'CVE-2020-1000', ...rule }]),
        's',
      )[0]?.severity;

    it.each([
      ['9.0', 'CRITICAL'],
      ['7', 'HIGH'],
      [6.9, 'MEDIUM'],
      ['3.9', 'LOW'],
      ['0.1', 'LOW'],
    ])('by the score %s', (score, severity) => {
      expect(severityOf({}, { properties: { 'security-severity': score } })).toBe(severity);
    });

    it.each([
      ['error', 'HIGH'],
      ['warning', 'MEDIUM'],
      ['note', 'LOW'],
      ['none', 'UNKNOWN'],
      ['constructor', 'UNKNOWN'],
    ])('by the level %s where nothing else tells', (level, severity) => {
      expect(severityOf({ level })).toBe(severity);
      expect(severityOf({}, { defaultConfiguration: { level } })).toBe(severity);
    });

    it('by what the scanner calls it before the score, by the score before tags, and by tags before the level', () => {
      // Grype: the distribution says low, and the highest score that anyone gave is 9.8.
      expect(sarifFindings(grype({ severity: 'low' }), 'grype')[0]?.severity).toBe('LOW');
      const properties = { tags: ['vulnerability', 'MEDIUM'], 'security-severity': '9.1' };
      expect(severityOf({ level: 'note' }, { properties })).toBe('CRITICAL');
      expect(
        severityOf({ level: 'note' }, { properties: { ...properties, 'security-severity': '0.0' } }),
      ).toBe('MEDIUM');
      expect(severityOf({})).toBe('MEDIUM');
    });
  });

  it('are those that are there: not what passed or went away, but what a setting of the scanner suppressed', () => {
    const found = sarifFindings(
      sarif([
        { ruleId: 'CVE-2020-1001', kind: 'pass' },
        { ruleId: 'CVE-2020-1002', baselineState: 'absent' },
        { ruleId: 'CVE-2020-1003', suppressions: [{ kind: 'external' }] },
        { ruleId: 'CVE-2020-1004', kind: 'fail', baselineState: 'new' },
      ]),
      's',
    );
    expect(found.map(({ id }) => id)).toEqual(['CVE-2020-1003', 'CVE-2020-1004']);
  });

  it('are found by the rule’s id, wherever the rule is, and by its place alone when there is no id', () => {
    const rules = [{ id: 'CVE-2020-1001', properties: { severity: 'low' } }];
    const extensions = [{ rules: [{ id: 'CVE-2020-1002', properties: { severity: 'critical' } }] }];
    const bytes = sarif(
      [{ ruleId: 'CVE-2020-1002', ruleIndex: 0 }, { ruleIndex: 0 }, { rule: { index: 0 } }],
      [],
      {
        tool: { driver: { rules }, extensions },
      },
    );
    expect(sarifFindings(bytes, 's').map(({ id, severity }) => [id, severity])).toEqual([
      ['CVE-2020-1002', 'CRITICAL'],
      ['CVE-2020-1001', 'LOW'],
      ['CVE-2020-1001', 'LOW'],
    ]);
  });

  it('of hostile names are bounded lines without control characters, and nothing is inherited', () => {
    const evil = `zlib\u0000\n\u2028\u001b[31m${'x'.repeat(1_000_000)}`;
    const bytes = Buffer.from(
      sarif(
        [
          {
            ruleId: '__proto__',
            properties: { package: evil, installed: evil, fixed: evil, severity: 'toString' },
          },
        ],
        [{ id: '__proto__', helpUri: `javascript:${evil}`, shortDescription: { text: evil } }],
      )
        .toString()
        .replace('"properties":{', '"properties":{"__proto__":{"package":"polluted"},'),
    );
    const [found] = sarifFindings(bytes, 's');
    expect(found).toMatchObject({ id: '__proto__', severity: 'MEDIUM', url: '' });
    const { package: name = '', installed = '', fixed, title = '' } = found ?? {};
    for (const [text, most] of [
      [name, 200],
      [installed, 100],
      [fixed ?? '', 200],
      [title, 300],
    ] as const) {
      expect(text).toMatch(/^zlib \[31mx+$/);
      expect(text).toHaveLength(most);
    }
  });

  it('of texts made to be slow to read are read at once', () => {
    const started = performance.now();
    const long = `Package '${'@'.repeat(200_000)}`;
    const results = Array.from({ length: 200 }, () => ({ ruleId: 'CVE-2020-1000', message: { text: long } }));
    expect(
      sarifFindings(sarif(results, [{ id: 'CVE-2020-1000', fullDescription: { text: long } }]), 's'),
    ).toHaveLength(200);
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

describe('one rule of very many results', () => {
  it('is read once, however long its texts, names and tags are', () => {
    const rows = Array.from(
      { length: 2_000 },
      (_, at) => `| GHSA-aaaa-bbbb-cccc | package-${at} | 1.0.${at} |`,
    );
    const rule = {
      id: 'OSV-1',
      shortDescription: { text: 'long '.repeat(2_000) },
      help: { text: ['### Fixed Versions', ...rows].join('\n') },
      deprecatedIds: [...Array.from({ length: 5_000 }, (_, at) => `PYSEC-2020-${at}`), 'GHSA-aaaa-bbbb-cccc'],
      properties: { tags: Array.from({ length: 5_000 }, (_, at) => `tag-${at}`) },
    };
    const results = Array.from({ length: MAX_SARIF_RESULTS }, (_, at) => ({
      ruleId: 'OSV-1',
      message: { text: `Package 'package-${at % 2_000}@1.0.0' is vulnerable to 'OSV-1'` },
    }));
    const bytes = sarif(results, [rule]);
    const started = performance.now();
    const found = sarifFindings(bytes, 'osv');
    // A worker that says nothing for 15 s is taken for dead.
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(found).toHaveLength(MAX_SARIF_RESULTS);
    expect(found.at(-1)).toMatchObject({
      id: 'OSV-1',
      package: 'package-1999',
      installed: '1.0.0',
      fixed: '1.0.1999',
    });
  });

  it('tells the version of the first row that has any of its names, or the result’s own', () => {
    const help = {
      markdown: [
        '| CVE-2020-1001 | a | 0.1 |',
        '### Fixed Versions',
        '| Vulnerability ID | Package Name | Fixed Version |',
        '| CVE-2020-1001 | a | --- |',
        '| CVE-2020-1009 | a | 9 |',
        '| GHSA-aaaa-bbbb-cccc | a | 2 |',
        '| CVE-2020-1001 | a | 3 |',
        '| CVE-2020-1001 | b | 4 |',
        '| GHSA-aaaa-bbbb-cccc | b | 5 |',
      ].join('\n'),
    };
    const rule = { id: 'some', help, deprecatedIds: ['GHSA-aaaa-bbbb-cccc'] };
    const results = ['a', 'b', 'c'].map((name) => ({
      ruleId: 'CVE-2020-1001',
      ruleIndex: 0,
      properties: { package: name },
    }));
    expect(sarifFindings(sarif(results, [rule]), 'osv').map(({ fixed }) => fixed)).toEqual(['2', '4', null]);
  });
});

describe('SARIF that can not be used', () => {
  const failure = (bytes: Buffer) => {
    try {
      sarifFindings(bytes, 'grype');
      return 'it was used';
    } catch (error) {
      return error;
    }
  };

  it.each([
    ['no JSON', Buffer.from('it: crashed'), /not JSON/],
    ['cut off', grype().subarray(0, 200), /not JSON/],
    ['JSON of something else', Buffer.from('[]'), /not SARIF 2\.1\.0/],
    ['null', Buffer.from('null'), /SARIF|JSON/],
    ['another version', Buffer.from('{"version":"1.0.0","runs":[]}'), /not SARIF 2\.1\.0/],
    ['no run', Buffer.from('{"version":"2.1.0","runs":[]}'), /runs/],
    ['a run that never looked', sarif([], [], { results: null }), /results/],
    ['a failed scan', sarif([], [], { invocations: [{ executionSuccessful: false }] }), /not successful/],
    ['a result without a rule', sarif([{ message: { text: 'bad' } }]), /without a rule/],
    [
      'too many results',
      sarif(Array.from({ length: MAX_SARIF_RESULTS + 1 }, () => ({ ruleId: 'x' }))),
      /too many/,
    ],
    ['too many bytes', Buffer.alloc(MAX_SARIF_BYTES + 1, ' '), /bytes/],
  ])('has a failure that names the scanner and the way out: %s', (_, bytes, why) => {
    expect(failure(bytes)).toMatchObject({
      type: 'ScannerFailed',
      message: expect.stringMatching(
        /^What the scanner grype wrote can't be used: it .*; run its command by hand/,
      ),
    });
    expect(failure(bytes)).toMatchObject({ message: expect.stringMatching(why) });
  });
});
