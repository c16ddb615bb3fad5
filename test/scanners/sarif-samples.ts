/** SARIF 2.1.0 with one run: what a scanner writes around its results. */
export const sarif = (results: object[], rules: object[] = [], run: object = {}): Buffer =>
  Buffer.from(
    JSON.stringify({
      version: '2.1.0',
      $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
      runs: [{ tool: { driver: { name: 'some scanner', rules } }, results, ...run }],
    }),
  );

const text = (words: string) => ({ text: words });

/** As Grype's presenter puts a match (grype `presenter/sarif`): package and version are in texts alone. */
export const grype = ({
  id = 'CVE-2022-37434',
  name = 'zlib1g',
  version = '1:1.2.11.dfsg-2',
  fixed = '1:1.2.11.dfsg-2+deb11u2',
  severity = 'critical',
  score = '9.8',
  properties = {},
}: {
  id?: string;
  name?: string;
  version?: string;
  fixed?: string;
  severity?: string;
  score?: string;
  properties?: object;
} = {}): Buffer =>
  sarif(
    [
      {
        ruleId: `${id}-${name}`,
        level: 'error',
        message: text(
          `A ${severity} vulnerability in deb package: ${name}, version ${version} was found in image test at: /var/lib/dpkg/status`,
        ),
        locations: [
          {
            physicalLocation: { artifactLocation: { uri: 'test//var/lib/dpkg/status' } },
            logicalLocations: [
              { name: '/var/lib/dpkg/status', fullyQualifiedName: 'test@sha256:0:/var/lib/dpkg/status' },
            ],
          },
        ],
      },
    ],
    [
      {
        id: `${id}-${name}`,
        name: 'DpkgMatcherExactDirectMatch',
        shortDescription: text(`${id} ${severity} vulnerability for ${name} package`),
        fullDescription: text('A buffer is read beyond its end.'),
        helpUri: 'https://github.com/anchore/grype',
        help: text(
          `Vulnerability ${id}\nSeverity: ${severity}\nPackage: ${name}\nVersion: ${version}\nFix Version: ${fixed}\nType: deb\nLocation: /var/lib/dpkg/status\nData Namespace: debian:distro:debian:11\nLink: [${id}](https://example.com)`,
        ),
        properties: { 'security-severity': score, ...properties },
      },
    ],
  );

/** As `trivy --format sarif` puts it: one rule for a vulnerability, which has the texts of the last package. */
export const trivy = (packages: { name: string; version: string; fixed: string; severity: string }[]) => {
  const id = 'CVE-2022-37434';
  const last = packages.at(-1);
  return sarif(
    packages.map(({ name, version, fixed, severity }) => ({
      ruleId: id,
      ruleIndex: 0,
      level: 'error',
      message: text(
        `Package: ${name}\nInstalled Version: ${version}\nVulnerability ${id}\nSeverity: ${severity}\nFixed Version: ${fixed}\nLink: [${id}](https://avd.aquasec.com/nvd/cve-2022-37434)`,
      ),
      locations: [{ physicalLocation: { artifactLocation: { uri: 'library/test' } } }],
    })),
    [
      {
        id,
        name: 'OsPackageVulnerability',
        shortDescription: text('zlib: read beyond the end'),
        fullDescription: text('A buffer is read beyond its end.'),
        helpUri: 'https://avd.aquasec.com/nvd/cve-2022-37434',
        help: text(
          `Vulnerability ${id}\nSeverity: ${last?.severity}\nPackage: ${last?.name}\nFixed Version: ${last?.fixed}\nLink: x\nlong`,
        ),
        properties: { 'security-severity': '9.8', tags: ['vulnerability', 'security', last?.severity] },
      },
    ],
  );
};

/** As `snyk container test --sarif` puts it: an id of its own, CVEs in a text, the package with its source package. */
export const snyk = (): Buffer =>
  sarif(
    [
      {
        ruleId: 'SNYK-DEBIAN11-ZLIB-2976151',
        level: 'error',
        message: text(
          'This file introduces a vulnerable zlib package with a critical severity vulnerability.',
        ),
        locations: [
          {
            physicalLocation: { artifactLocation: { uri: 'layout' }, region: { startLine: 1 } },
            logicalLocations: [{ fullyQualifiedName: 'zlib@1:1.2.11.dfsg-2' }],
          },
        ],
        fixes: [{ description: text('Upgrade to zlib/zlib1g@1:1.2.11.dfsg-2+deb11u2') }],
      },
    ],
    [
      {
        id: 'SNYK-DEBIAN11-ZLIB-2976151',
        shortDescription: text('Critical severity - Out-of-bounds Write vulnerability in zlib'),
        fullDescription: text('(CVE-2022-37434,CVE-2022-99999) zlib/zlib1g@1:1.2.11.dfsg-2'),
        help: { text: '', markdown: 'long' },
        properties: { tags: ['security', 'CWE-787', 'deb'], 'security-severity': '9.8' },
      },
    ],
  );

/** As `osv-scanner --format sarif` puts it: package in the message, other ids and a table of fixes with the rule. */
export const osv = (): Buffer =>
  sarif(
    [
      {
        ruleId: 'CVE-2021-44906',
        ruleIndex: 0,
        level: 'warning',
        message: text(
          "Package '@scope/minimist@1.2.5' is vulnerable to 'CVE-2021-44906' (also known as 'GHSA-xvch-5gv4-984h').",
        ),
        locations: [{ physicalLocation: { artifactLocation: { uri: 'file:///app/package-lock.json' } } }],
      },
    ],
    [
      {
        id: 'CVE-2021-44906',
        name: 'CVE-2021-44906',
        shortDescription: text('CVE-2021-44906: Prototype Pollution in minimist'),
        fullDescription: { text: 'Long prose.', markdown: 'Long prose.' },
        deprecatedIds: ['CVE-2021-44906', 'GHSA-xvch-5gv4-984h'],
        help: text(
          [
            '**Your dependency is vulnerable to it**',
            '### Affected Packages',
            '| Source | Package Name | Package Version |',
            '| --- | --- | --- |',
            '| lockfile:/app/package-lock.json | @scope/minimist | 1.2.5 |',
            '### Fixed Versions',
            '| Vulnerability ID | Package Name | Fixed Version |',
            '| --- | --- | --- |',
            '| GHSA-xvch-5gv4-984h | other | 9.9.9 |',
            '| GHSA-xvch-5gv4-984h | @scope/minimist | 1.2.6 |',
          ].join('\n'),
        ),
      },
    ],
  );
