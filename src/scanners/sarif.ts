import type { Severity } from '../contract/verdict.js';
import type { Finding } from './finding.js';
import { readSarif, type SarifEntry, type SarifRule } from './sarif-document.js';
import {
  fixedInTable,
  fromCoordinates,
  fromLines,
  fromProperties,
  fromSentence,
  type Said,
  severityNamed,
  severityScored,
  upgradeOf,
} from './sarif-words.js';

/**
 * The findings in a scanner's SARIF 2.1.0, as Grype, Trivy, Snyk, osv-scanner and plain writers put them: which member is
 * read for what is in docs/scanners.md.
 *
 * @param scanner its name, which becomes `foundBy`.
 * @throws FactoryError `ScannerFailed`
 */
export function sarifFindings(bytes: Buffer, scanner: string): Finding[] {
  const ruleWords = new Map<SarifRule, RuleWords>();
  const ofRule = (rule: SarifRule | undefined): RuleWords => {
    if (rule === undefined) return { stated: [], texts: [] };
    const known = ruleWords.get(rule) ?? wordsOfRule(rule);
    ruleWords.set(rule, known);
    return known;
  };
  return readSarif(bytes, scanner).flatMap((entry) => {
    const { result, rule } = entry;
    const logical = result.locations?.[0]?.logicalLocations?.[0]?.fullyQualifiedName;
    const own = [fromLines(result.message?.text), fromSentence(result.message?.text)];
    const { stated, texts } = ofRule(rule);
    // The first to know something is believed. A rule's texts come late: Trivy has one rule for all packages that have a
    // vulnerability, and writes one of them there.
    const sources = [
      fromProperties(result.properties),
      ...stated,
      ...own,
      ...texts,
      fromCoordinates(logical),
    ];
    const first = <Name extends keyof Said>(name: Name): Said[Name] =>
      sources.find((one) => one[name] !== undefined)?.[name];
    const said = { package: first('package'), installed: first('installed'), fixed: first('fixed') };
    const name = binaryName(said.package, rule);
    const ids = idsOf(entry, sources);
    const fixed =
      said.fixed ?? upgradeOf(entry, said.package) ?? fixedInTable(rule, aliasesOf(entry), said.package);
    const common = {
      package: clean(name ?? result.locations?.[0]?.physicalLocation?.artifactLocation?.uri, 200),
      installed: clean(said.installed, 100),
      fixed: clean(fixed, 200) || null,
      severity: severityOf(entry, first('severity')),
      title: clean(rule?.shortDescription?.text || rule?.fullDescription?.text || result.message?.text, 300),
      foundBy: [scanner],
    };
    return ids.map((id): Finding => ({ id, ...common, url: urlOf(rule, [id, entry.ruleId]) }));
  });
}

interface RuleWords {
  /** In so many words. */
  stated: Said[];
  /** As can be read out of its sentences. */
  texts: Said[];
}

const wordsOfRule = (rule: SarifRule): RuleWords => ({
  stated: [fromProperties(rule.properties), fromCoordinates(rule.fullDescription?.text)],
  texts: [
    fromLines(rule.help?.text),
    fromSentence(rule.shortDescription?.text),
    fromSentence(rule.fullDescription?.text),
  ],
});

/** CVE and GHSA have forms of their own, so that what Grype appends falls off; a number of four digits or more. */
const KNOWN_ID = /^(?:CVE-\d{4}-\d{4,}|GHSA(?:-[0-9a-z]{4}){3})(?![0-9A-Za-z])/i;
const CVE = /^CVE-\d{4}-\d{4,}$/i;
const MOST_ALIASES = 10;

/** Usually one; Snyk has one result for all the CVEs of an advisory. */
function idsOf(entry: SarifEntry, sources: readonly Said[]): string[] {
  const { ruleId } = entry;
  const known = KNOWN_ID.exec(ruleId)?.[0];
  if (known !== undefined && CVE.test(known)) return [known.toUpperCase()];
  const cves = aliasesOf(entry).filter((id) => CVE.test(id));
  if (cves.length > 0) return [...new Set(cves.map((id) => id.toUpperCase()))].slice(0, MOST_ALIASES);
  if (known !== undefined) return [`GHSA${known.slice(4).toLowerCase()}`];
  const suffix = sources
    .flatMap(({ package: name }) => (name === undefined ? [] : [`-${name}`]))
    .find((end) => ruleId.length > end.length && ruleId.endsWith(end));
  return [clean(suffix === undefined ? ruleId : ruleId.slice(0, -suffix.length), 100)];
}

/** Other names of the same vulnerability: in osv-scanner's old ids, and where Snyk describes a rule, `(CVE-…,CVE-…) `. */
function aliasesOf({ ruleId, rule }: SarifEntry): string[] {
  const listed = /^\(([^)]{1,1000})\) /.exec(rule?.fullDescription?.text ?? '')?.[1] ?? '';
  return [ruleId, ...(rule?.deprecatedIds ?? []), ...listed.split(',').map((id) => id.trim())];
}

/** Snyk puts the source package before a system's package, `zlib/zlib1g`; Trivy has the package alone. */
function binaryName(name: string | undefined, rule: SarifRule | undefined): string | undefined {
  const tags = tagsOf(rule?.properties);
  const system = ['deb', 'rpm', 'apk'].some((kind) => tags.includes(kind));
  return system ? name?.slice(name.lastIndexOf('/') + 1) : name;
}

const tagsOf = (properties: SarifRule['properties']): unknown[] => {
  const tags = properties?.tags;
  return Array.isArray(tags) ? tags : [];
};

const LEVELS: Readonly<Record<string, Severity>> = { error: 'HIGH', warning: 'MEDIUM', note: 'LOW' };

/**
 * What the scanner itself calls it, else the score, else a tag, else the level. The word goes before the score: Grype's
 * score is the highest CVSS of any vendor or else NVD's, its word is what the distribution says, as in Trivy's report.
 */
function severityOf({ result, rule }: SarifEntry, word: Severity | undefined): Severity {
  const score = result.properties?.['security-severity'] ?? rule?.properties?.['security-severity'];
  const tags = [...tagsOf(result.properties), ...tagsOf(rule?.properties)];
  // Without any level it is a warning (SARIF 2.1.0, 3.27.10).
  const level = result.level ?? rule?.defaultConfiguration?.level ?? 'warning';
  return (
    word ??
    severityScored(score) ??
    tags.map(severityNamed).find((severity) => severity !== undefined) ??
    (Object.hasOwn(LEVELS, level) ? LEVELS[level] : undefined) ??
    'UNKNOWN'
  );
}

/** Grype's last resort is its own home page: a link that does not name the vulnerability leads nowhere. */
function urlOf(rule: SarifRule | undefined, ids: readonly string[]): string {
  const url = clean(rule?.helpUri, 400);
  return ids.some((id) => url.toLowerCase().includes(id.toLowerCase())) ? url : '';
}

/** One bounded line: it becomes part of a rule, which crosses Temporal. */
const clean = (text: string | undefined, length: number): string =>
  (text ?? '')
    .slice(0, 10_000)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
    .slice(0, length);
