import type { Digest } from '../contract/brand.js';
import type { Policy, PolicyException } from '../contract/run.js';
import {
  type EvidenceRef,
  type PlatformVerdict,
  SEVERITIES,
  type Severity,
  type SeverityCounts,
  type Verdict,
} from '../contract/verdict.js';
import type { Finding, Inspection } from './finding.js';

/** One platform as it was scanned. */
export interface PlatformScan extends Inspection {
  platform: string;
  digest: Digest;
  /** Of Trivy. */
  evidence: EvidenceRef;
  /** Of each scanner beside it; its findings are among `findings`. */
  others?: PlatformVerdict['others'];
}

export type Judgement = Pick<Verdict, 'decision' | 'rule' | 'platforms'>;

/** A finding, and the owner of the exception that takes it out, if one does. */
export type JudgedFinding = Finding & { suppressedBy?: PolicyException };

type Decision = Verdict['decision'];

const WEIGHT: Record<Decision, number> = { pass: 0, warn: 1, block: 2 };
const rank = (severity: Severity): number => SEVERITIES.indexOf(severity);
const countOf = (findings: readonly Finding[]): SeverityCounts => {
  const counts: SeverityCounts = { CRITICAL: 0, HIGH: 0, MEDIUM: 0, LOW: 0, UNKNOWN: 0 };
  for (const { severity } of findings) counts[severity]++;
  return counts;
};

/**
 * One of each (vulnerability, package), over all scanners; the same package may also be installed twice. The worst stays,
 * of equals the first, with what only another one knew: a fixed version, a title, a link, and who else found it.
 */
function distinct(findings: readonly Finding[]): Finding[] {
  const kept = new Map<string, Finding>();
  for (const finding of findings) {
    const key = JSON.stringify([finding.id, finding.package]);
    const other = kept.get(key);
    kept.set(key, other === undefined ? finding : together(other, finding));
  }
  return [...kept.values()].sort(
    (a, b) => rank(a.severity) - rank(b.severity) || compare(a.id, b.id) || compare(a.package, b.package),
  );
}

function together(a: Finding, b: Finding): Finding {
  const [worse, other] = rank(b.severity) < rank(a.severity) ? [b, a] : [a, b];
  return {
    ...worse,
    installed: worse.installed || other.installed,
    fixed: a.fixed ?? b.fixed,
    title: worse.title || other.title,
    url: worse.url || other.url,
    foundBy: [...new Set([...a.foundBy, ...b.foundBy])].sort(),
  };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const covers = (exception: PolicyException, finding: Finding): boolean =>
  exception.id === finding.id && (exception.package === undefined || exception.package === finding.package);

/**
 * The distinct findings, worst first, each with the exception that suppresses it today.
 *
 * @param today `YYYY-MM-DD`; an exception counts up to and including its last day.
 */
export function applyExceptions(
  findings: readonly Finding[],
  exceptions: readonly PolicyException[],
  today: string,
): JudgedFinding[] {
  const valid = exceptions.filter(({ expires }) => today <= expires);
  return distinct(findings).map((finding) => {
    const suppressedBy = valid.find((exception) => covers(exception, finding));
    return suppressedBy === undefined ? finding : { ...finding, suppressedBy };
  });
}

interface Judged {
  scan: PlatformScan;
  verdict: PlatformVerdict;
  /** The findings that the policy acts on. */
  deciding: Finding[];
}

function judgePlatform(scan: PlatformScan, policy: Policy, today: string): Judged {
  const all = applyExceptions(scan.findings, policy.exceptions, today);
  const open = all.filter(({ suppressedBy }) => suppressedBy === undefined);
  const deciding = open.filter(
    ({ severity, fixed }) => rank(severity) <= rank(policy.failOn) && (fixed !== null || !policy.fixableOnly),
  );
  const status = open.length > 0 ? 'findings' : 'clean';
  const verdict: PlatformVerdict = {
    platform: scan.platform,
    digest: scan.digest,
    status: scan.notScannable === undefined ? status : 'not-scannable',
    counts: countOf(open),
    fixable: countOf(open.filter(({ fixed }) => fixed !== null)),
    suppressed: all.length - open.length,
    ...(scan.notScannable === undefined ? {} : { reason: scan.notScannable }),
    evidence: scan.evidence,
    ...(scan.others === undefined ? {} : { others: scan.others }),
  };
  return { scan, verdict, deciding };
}

/** Which platform is worse: the more findings of the worst severity, then of the next. */
function worst(platforms: readonly Judged[]): Judged | undefined {
  const key = ({ deciding }: Judged): number[] => {
    const counts = countOf(deciding);
    return SEVERITIES.map((severity) => counts[severity]);
  };
  return platforms
    .filter(({ deciding }) => deciding.length > 0)
    .reduce<Judged | undefined>((a, b) => {
      if (a === undefined) return b;
      const [left, right] = [key(a), key(b)];
      const at = left.findIndex((count, index) => count !== right[index]);
      return at >= 0 && (right[at] ?? 0) > (left[at] ?? 0) ? b : a;
    }, undefined);
}

const kindOf = (policy: Policy): string => (policy.fixableOnly ? 'fixable ' : '');

function findingRule({ scan, deciding }: Judged, policy: Policy): string {
  const counts = countOf(deciding);
  const numbers = SEVERITIES.filter((severity) => counts[severity] > 0)
    .map((severity) => `${counts[severity]} ${kindOf(policy)}${severity}`)
    .join(', ');
  const [first] = deciding;
  if (first === undefined) return numbers;
  const fix = first.fixed === null ? 'no fix yet' : `fixed in ${first.fixed}`;
  const more = deciding.length > 1 ? ` and ${deciding.length - 1} more` : '';
  // What another scanner finds need not be in a package.
  const where = [first.package, first.installed].filter((part) => part !== '').join(' ');
  return `${numbers} on ${scan.platform} (${first.id}${where === '' ? '' : ` in ${where}`}, ${fix}${more})`;
}

/** A rule is one sentence in a table, and an index may have a dozen platforms. */
const PLATFORMS_NAMED = 4;
const REASONS_NAMED = 2;

function listed(platforms: readonly string[]): string {
  const more = platforms.length - PLATFORMS_NAMED;
  return platforms.slice(0, PLATFORMS_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** Every platform that could not be scanned, by why. */
function blindRule(blind: readonly PlatformScan[]): string {
  const byReason = new Map<string, string[]>();
  for (const { platform, notScannable = '' } of blind)
    byReason.set(notScannable, [...(byReason.get(notScannable) ?? []), platform]);
  const groups = [...byReason].slice(0, REASONS_NAMED);
  const rest = blind.length - groups.reduce((sum, [, platforms]) => sum + platforms.length, 0);
  const parts = groups.map(([reason, platforms]) => {
    return `${listed(platforms)} ${platforms.length === 1 ? 'is' : 'are'} not scannable: ${reason}`;
  });
  return [...parts, ...(rest > 0 ? [`and ${rest} more for other reasons`] : [])].join('; ');
}

function passRule(judged: readonly Judged[], policy: Policy): string {
  const scope = policy.failOn === 'CRITICAL' ? 'CRITICAL' : `${policy.failOn} or worse`;
  const where = judged.length === 1 ? judged[0]?.scan.platform : `any of ${judged.length} platforms`;
  const suppressed = judged.reduce((sum, { verdict }) => sum + verdict.suppressed, 0);
  const exceptions = suppressed > 0 ? ` (${suppressed} suppressed by exceptions)` : '';
  // A pass is worth less where nobody looks for vulnerabilities any more.
  const old = new Set(judged.flatMap(({ scan }) => scan.endOfLife ?? []));
  const support = old.size > 0 ? `; ${[...old].join(' and ')} no longer gets security updates` : '';
  return `no ${kindOf(policy)}${scope} on ${where}${exceptions}${support}${languagesNote(judged)}`;
}

function languagesNote(judged: readonly Judged[]): string {
  const platforms = judged.flatMap(({ scan }) => (scan.languagesOnly === true ? [scan.platform] : []));
  if (platforms.length === 0) return '';
  const where = platforms.length === judged.length ? '' : `${listed(platforms)} `;
  return `; ${where}judged by packages of languages alone, since no operating system was recognised`;
}

/** Names the exceptions that would have helped, had they not run out. */
function expiredNote(deciding: readonly Finding[], policy: Policy, today: string): string {
  const expired = policy.exceptions.filter(
    (exception) => exception.expires < today && deciding.some((finding) => covers(exception, finding)),
  );
  return expired
    .map(({ id, owner, expires }) => `; the exception of ${owner} for ${id} expired on ${expires}`)
    .join('');
}

/**
 * What the policy makes of an image: the worst platform decides, and what could not be scanned is judged by its own
 * setting. Pure; the rule is one sentence that names what decided.
 *
 * @param scans every wanted platform, at least one.
 * @param today `YYYY-MM-DD`.
 */
export function judge(scans: readonly PlatformScan[], policy: Policy, today: string): Judgement {
  const judged = scans.map((scan) => judgePlatform(scan, policy, today));
  const platforms = judged.map(({ verdict }) => verdict);
  const bad = worst(judged);
  const blind = scans.filter(({ notScannable }) => notScannable !== undefined);
  const byFindings: Decision = bad === undefined ? 'pass' : policy.action;
  const byBlindness: Decision = blind.length === 0 ? 'pass' : policy.notScannable;
  if (bad !== undefined && WEIGHT[byFindings] >= WEIGHT[byBlindness]) {
    const rule = `${findingRule(bad, policy)}${expiredNote(bad.deciding, policy, today)}`;
    return { decision: byFindings, rule, platforms };
  }
  if (blind.length > 0) return { decision: byBlindness, rule: blindRule(blind), platforms };
  return { decision: 'pass', rule: passRule(judged, policy), platforms };
}
