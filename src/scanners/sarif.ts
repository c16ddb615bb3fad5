import type { Severity } from '../contract/verdict.js';
import type { Finding } from './finding.js';
import { readSarif, type SarifEntry } from './sarif-document.js';
import { CVE, RuleReader, type RuleWords } from './sarif-rule.js';
import {
  clean,
  fromCoordinates,
  fromLines,
  fromProperties,
  fromSentence,
  type Said,
  severityInTags,
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
  const rules = new RuleReader();
  return readSarif(bytes, scanner).flatMap((entry) => {
    const { result, ruleId } = entry;
    const words = rules.wordsOf(entry.rule);
    const logical = result.locations?.[0]?.logicalLocations?.[0]?.fullyQualifiedName;
    const own = [fromLines(result.message?.text), fromSentence(result.message?.text)];
    // The first to know something is believed. A rule's texts come late: Trivy has one rule for all packages that have a
    // vulnerability, and writes one of them there.
    const sources = [
      fromProperties(result.properties),
      ...words.stated,
      ...own,
      ...words.texts,
      fromCoordinates(logical),
    ];
    const first = <Name extends keyof Said>(name: Name): Said[Name] =>
      sources.find((one) => one[name] !== undefined)?.[name];
    const said = { package: first('package'), installed: first('installed'), fixed: first('fixed') };
    const name = binaryName(said.package, words);
    const fixed = said.fixed ?? upgradeOf(entry, said.package) ?? words.fixedIn(ruleId, said.package);
    const common = {
      package: clean(name ?? result.locations?.[0]?.physicalLocation?.artifactLocation?.uri, 200),
      installed: clean(said.installed, 100),
      fixed: clean(fixed, 200) || null,
      severity: severityOf(entry, words, first('severity')),
      title: words.title ?? clean(result.message?.text, 300),
      foundBy: [scanner],
    };
    const named = (id: string): Finding => ({ id, ...common, url: urlOf(words, [id, ruleId]) });
    return idsOf(ruleId, words, sources).map(named);
  });
}

/** CVE and GHSA have forms of their own, so that what Grype appends falls off; a number of four digits or more. */
const KNOWN_ID = /^(?:CVE-\d{4}-\d{4,}|GHSA(?:-[0-9a-z]{4}){3})(?![0-9A-Za-z])/i;

/** Usually one; Snyk has one result for all the CVEs of an advisory. */
function idsOf(ruleId: string, { cves }: RuleWords, sources: readonly Said[]): readonly string[] {
  const known = KNOWN_ID.exec(ruleId)?.[0];
  if (known !== undefined && CVE.test(known)) return [known.toUpperCase()];
  if (cves.length > 0) return cves;
  if (known !== undefined) return [`GHSA${known.slice(4).toLowerCase()}`];
  const suffix = sources
    .flatMap(({ package: name }) => (name === undefined ? [] : [`-${name}`]))
    .find((end) => ruleId.length > end.length && ruleId.endsWith(end));
  return [clean(suffix === undefined ? ruleId : ruleId.slice(0, -suffix.length), 100)];
}

/** Snyk puts the source package before a system's package, `zlib/zlib1g`; Trivy has the package alone. */
const binaryName = (name: string | undefined, { system }: RuleWords): string | undefined =>
  system ? name?.slice(name.lastIndexOf('/') + 1) : name;

const LEVELS: Readonly<Record<string, Severity>> = { error: 'HIGH', warning: 'MEDIUM', note: 'LOW' };

/**
 * What the scanner itself calls it, else the score, else a tag, else the level. The word goes before the score: Grype's
 * score is the highest CVSS of any vendor or else NVD's, its word is what the distribution says, as in Trivy's report.
 */
function severityOf({ result, rule }: SarifEntry, words: RuleWords, word: Severity | undefined): Severity {
  const score = result.properties?.['security-severity'] ?? rule?.properties?.['security-severity'];
  // Without any level it is a warning (SARIF 2.1.0, 3.27.10).
  const level = result.level ?? rule?.defaultConfiguration?.level ?? 'warning';
  return (
    word ??
    severityScored(score) ??
    severityInTags(result.properties) ??
    words.severity ??
    (Object.hasOwn(LEVELS, level) ? LEVELS[level] : undefined) ??
    'UNKNOWN'
  );
}

/** Grype's last resort is its own home page: a link that does not name the vulnerability leads nowhere. */
const urlOf = ({ url }: RuleWords, ids: readonly string[]): string =>
  ids.some((id) => url.toLowerCase().includes(id.toLowerCase())) ? url : '';
