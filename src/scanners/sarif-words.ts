import type { Severity } from '../contract/verdict.js';
import type { SarifEntry } from './sarif-document.js';

/** What a scanner says of a finding where SARIF has no member for it. */
export interface Said {
  package?: string;
  installed?: string;
  fixed?: string;
  severity?: Severity;
}

/** Sentences are short; the rest of a longer text is prose. */
const SENTENCE = 4_000;
export const HELP = 100_000;
/** Of names and versions: those of a rule are looked at for each of its results. */
export const LONGEST = 1_000;

const SEVERITY_WORDS: Readonly<Record<string, Severity>> = {
  critical: 'CRITICAL',
  high: 'HIGH',
  important: 'HIGH',
  medium: 'MEDIUM',
  moderate: 'MEDIUM',
  low: 'LOW',
  minor: 'LOW',
  negligible: 'LOW',
};

/** A severity by its name, also as Red Hat and Debian name theirs; undefined for any other word. */
export function severityNamed(word: unknown): Severity | undefined {
  if (typeof word !== 'string') return undefined;
  const name = word.trim().toLowerCase();
  return Object.hasOwn(SEVERITY_WORDS, name) ? SEVERITY_WORDS[name] : undefined;
}

/** CVSS's own bands (CVSS 3.1, 5); 0 says nothing. */
export function severityScored(score: unknown): Severity | undefined {
  const value = typeof score === 'string' ? Number.parseFloat(score) : score;
  if (typeof value !== 'number' || !(value > 0)) return undefined;
  if (value >= 9) return 'CRITICAL';
  if (value >= 7) return 'HIGH';
  return value >= 4 ? 'MEDIUM' : 'LOW';
}

/** By the first tag of a property bag that is a severity. */
export function severityInTags(bag: Readonly<Record<string, unknown>> | undefined): Severity | undefined {
  const tags: unknown[] = Array.isArray(bag?.tags) ? bag.tags : [];
  return tags.map(severityNamed).find((severity) => severity !== undefined);
}

type Names = readonly string[];
const PACKAGE: Names = ['package', 'packagename', 'pkgname', 'component'];
const INSTALLED: Names = ['installed', 'installedversion', 'packageversion', 'version'];
const FIXED: Names = ['fixed', 'fixedversion', 'fixedversions', 'fixversion', 'fixversions'];

/** Members of a property bag, whatever way of writing names its tool has. */
export function fromProperties(bag: Readonly<Record<string, unknown>> | undefined): Said {
  if (bag === undefined) return {};
  const members = new Map(
    Object.entries(bag).map(([name, value]) => [name.toLowerCase().replace(/[^a-z]/g, ''), value]),
  );
  const first = (names: Names): string | undefined =>
    names.map((name) => wordsOf(members.get(name))).find((value) => value !== '');
  const purl = fromPurls([members.get('purl'), members.get('purls')].flat());
  return said({
    package: first(PACKAGE) ?? purl.package,
    installed: first(INSTALLED) ?? purl.installed,
    fixed: first(FIXED),
    severity: severityNamed(members.get('severity')),
  });
}

const wordsOf = (value: unknown): string =>
  (Array.isArray(value) ? value : [value]).filter((one) => typeof one === 'string').join(', ');

/** A package URL (purl-spec), as Trivy names the package. A rule may list several: only what all agree on is taken. */
function fromPurls(purls: readonly unknown[]): Said {
  const read = purls.filter((purl) => typeof purl === 'string').map(fromPurl);
  const common = (values: (string | undefined)[]): string | undefined =>
    new Set(values).size === 1 ? values[0] : undefined;
  return said({
    package: common(read.map((one) => one.package)),
    installed: common(read.map((one) => one.installed)),
  });
}

function fromPurl(purl: string): Said {
  const [, type = '', path = '', version] =
    /^pkg:\/*([A-Za-z0-9.+-]+)\/([^@?#]+)(?:@([^?#]*))?/.exec(purl.slice(0, SENTENCE)) ?? [];
  const segments = path.split('/').map(decoded);
  const name = segments.at(-1);
  // The name space of a system's package is its distribution.
  const system = ['deb', 'rpm', 'apk', 'alpm'].includes(type.toLowerCase());
  return said({
    package: system ? name : segments.join(type.toLowerCase() === 'maven' ? ':' : '/'),
    installed: version === undefined ? undefined : decoded(version),
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `Package: zlib1g`, a line each: Trivy's messages and Grype's help texts. */
export function fromLines(text: string | undefined): Said {
  if (text === undefined) return {};
  const lines = text.slice(0, HELP).split('\n', 12);
  const line = (...names: Names): string | undefined => {
    for (const one of lines) {
      const colon = one.indexOf(': ');
      if (colon > 0 && names.includes(one.slice(0, colon))) return one.slice(colon + 2).trim();
    }
    return undefined;
  };
  return said({
    package: line('Package'),
    installed: line('Installed Version', 'Version'),
    fixed: line('Fixed Version', 'Fix Version'),
    severity: severityNamed(line('Severity')),
  });
}

/** How Grype (three of its versions), osv-scanner and Snyk put it in a sentence. */
const SENTENCES: readonly { form: RegExp; has: readonly (keyof Said)[] }[] = [
  {
    form: /^An? (\w+) vulnerability in \S+ package: (.+), version (\S*) was found/,
    has: ['severity', 'package', 'installed'],
  },
  { form: /^The path .+ reports (\S+) at version (\S+) /, has: ['package', 'installed'] },
  { form: /^\S+ (\w+) vulnerability for (.+) package$/, has: ['severity', 'package'] },
  { form: /^Version \S+ is affected with an available fix in versions (.+)$/, has: ['fixed'] },
  { form: /^Package '(.+)@([^@']*)' is vulnerable to '/, has: ['package', 'installed'] },
  { form: /^(\w+) severity - /, has: ['severity'] },
  {
    form: /introduces a vulnerable (\S+) package with an? (\w+) severity vulnerability/,
    has: ['package', 'severity'],
  },
];

/** What is said in the known sentences of scanners. */
export function fromSentence(text: string | undefined): Said {
  const sentence = text?.slice(0, SENTENCE) ?? '';
  for (const { form, has } of SENTENCES) {
    const match = form.exec(sentence);
    if (match === null) continue;
    const values = Object.fromEntries(has.map((name, at) => [name, match[at + 1]]));
    return said({ ...values, severity: severityNamed(values.severity) });
  }
  return {};
}

/** `name@version`, as Snyk and others name a place; what has no version is none. */
export function fromCoordinates(text: string | undefined): Said {
  const [, name, installed] = /^(?:\([^)]*\) )?(\S+)@([^@\s/]+)$/.exec(text?.slice(0, SENTENCE) ?? '') ?? [];
  return said({ package: name, installed });
}

/** Snyk's `Upgrade to name@version`, where it is the package itself that is to be upgraded. */
export function upgradeOf({ result }: SarifEntry, name: string | undefined): string | undefined {
  const text = result.fixes?.[0]?.description?.text;
  const to = fromCoordinates(/^Upgrade to (\S+)$/.exec(text?.slice(0, SENTENCE) ?? '')?.[1]);
  return to.package !== undefined && to.package === name ? to.installed : undefined;
}

/** Without what is empty, and cut. */
function said(values: { [Name in keyof Said]?: Said[Name] | undefined }): Said {
  const { package: name, installed, fixed, severity } = values;
  return {
    ...(name ? { package: name.slice(0, LONGEST) } : {}),
    ...(installed ? { installed: installed.slice(0, LONGEST) } : {}),
    ...(fixed ? { fixed: fixed.slice(0, LONGEST) } : {}),
    ...(severity ? { severity } : {}),
  };
}

/** One bounded line: it becomes part of a rule, which crosses Temporal. */
export const clean = (text: string | undefined, length: number): string =>
  (text ?? '')
    .slice(0, 10_000)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
    .slice(0, length);
