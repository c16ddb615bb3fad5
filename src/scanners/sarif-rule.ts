import type { Severity } from '../contract/verdict.js';
import type { SarifRule } from './sarif-document.js';
import {
  clean,
  fromCoordinates,
  fromLines,
  fromProperties,
  fromSentence,
  HELP,
  LONGEST,
  type Said,
  severityInTags,
} from './sarif-words.js';

/**
 * What a rule says of all its results. It is read once: there may be tens of thousands of results on one rule, and its
 * texts may be long.
 */
export interface RuleWords {
  /** In so many words. */
  stated: readonly Said[];
  /** As can be read out of its sentences. */
  texts: readonly Said[];
  /** CVEs among the rule's other names, as they are written. */
  cves: readonly string[];
  /** Whether it is about packages of a system, not of a language. */
  system: boolean;
  /** By its tags. */
  severity: Severity | undefined;
  /** One line; undefined when it has none. */
  title: string | undefined;
  /** Where it is described, if anywhere. */
  url: string;
  /** The version that mends a package, by the rule's names or the result's own. */
  fixedIn(ruleId: string, name: string | undefined): string | undefined;
}

const NO_RULE: RuleWords = {
  stated: [],
  texts: [],
  cves: [],
  system: false,
  severity: undefined,
  title: undefined,
  url: '',
  fixedIn: () => undefined,
};

/** Reads rules, each once. */
export class RuleReader {
  readonly #read = new Map<SarifRule, RuleWords>();

  wordsOf(rule: SarifRule | undefined): RuleWords {
    if (rule === undefined) return NO_RULE;
    const known = this.#read.get(rule) ?? wordsOfRule(rule);
    this.#read.set(rule, known);
    return known;
  }
}

/** Snyk has one rule for all the CVEs of an advisory. */
const MOST_ALIASES = 10;
export const CVE = /^CVE-\d{4}-\d{4,}$/i;

function wordsOfRule(rule: SarifRule): RuleWords {
  const full = rule.fullDescription?.text;
  const title = rule.shortDescription?.text || full;
  const tags = Array.isArray(rule.properties?.tags) ? rule.properties.tags : [];
  const aliases = aliasesOf(rule);
  const cves = aliases.filter((id) => CVE.test(id)).map((id) => id.toUpperCase());
  let table: FixedVersions | undefined;
  return {
    stated: [fromProperties(rule.properties), fromCoordinates(full)],
    texts: [fromLines(rule.help?.text), fromSentence(rule.shortDescription?.text), fromSentence(full)],
    cves: [...new Set(cves)].slice(0, MOST_ALIASES),
    system: ['deb', 'rpm', 'apk'].some((kind) => tags.includes(kind)),
    severity: severityInTags(rule.properties),
    title: title ? clean(title, 300) : undefined,
    url: clean(rule.helpUri, 400),
    fixedIn: (ruleId, name) => {
      if (name === undefined) return undefined;
      table ??= new FixedVersions(rule, aliases);
      return table.of(ruleId, name);
    },
  };
}

/** Other names of the same vulnerability: in osv-scanner's old ids, and where Snyk describes a rule, `(CVE-…,CVE-…) `. */
function aliasesOf({ deprecatedIds = [], fullDescription }: SarifRule): string[] {
  const listed = /^\(([^)]{1,1000})\) /.exec(fullDescription?.text ?? '')?.[1] ?? '';
  return [...deprecatedIds, ...listed.split(',').map((id) => id.trim())];
}

interface Row {
  at: number;
  fixed: string;
}

/** osv-scanner's table of fixed versions, `| CVE-… | package | version |`, in a rule's help text. */
class FixedVersions {
  /** By package: the first row with one of the rule's names. */
  readonly #named = new Map<string, Row>();
  /** By package and id: the first row with this id. */
  readonly #rows = new Map<string, Row>();

  constructor(rule: SarifRule, aliases: readonly string[]) {
    const help = rule.help?.text ?? rule.help?.markdown ?? '';
    const from = help.indexOf('### Fixed Versions');
    if (from < 0) return;
    const names = new Set(aliases);
    const keep = (rows: Map<string, Row>, key: string, row: Row): void => {
      if (!rows.has(key)) rows.set(key, row);
    };
    for (const [at, line] of help
      .slice(from, from + HELP)
      .split('\n')
      .entries()) {
      const [, id = '', of = '', fixed = ''] = line.split('|', 4).map((cell) => cell.trim());
      if (!/\d/.test(fixed)) continue;
      const row = { at, fixed: fixed.slice(0, LONGEST) };
      if (names.has(id)) keep(this.#named, of, row);
      keep(this.#rows, `${of}|${id}`, row);
    }
  }

  of(ruleId: string, name: string): string | undefined {
    const rows = [this.#named.get(name), this.#rows.get(`${name}|${ruleId}`)];
    return rows.filter((row) => row !== undefined).sort((a, b) => a.at - b.at)[0]?.fixed;
  }
}
