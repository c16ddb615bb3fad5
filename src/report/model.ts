import type { RunSummaryForReport } from '../contract/activities.js';
import { noteOf } from '../contract/note.js';
import { FAILING_OUTCOMES, type ImageRecord } from '../contract/outcome.js';
import type { VerdictSummary } from '../contract/plan.js';
import type { EvidenceRef, PlatformVerdict, Verdict } from '../contract/verdict.js';
import { attentionOf } from './attention.js';
import type { Changes } from './changes.js';
import { listFindings } from './findings.js';
import type { Report, ReportImage } from './schema.js';
import type { EvidenceFile, ImageFindings } from './schema-parts.js';
import { sentenceOf } from './sentence.js';
import { stepsOf, templateOf } from './template-parts.js';
import { clip, compare } from './text.js';
import type { HostTraffic } from './traffic.js';
import { builtVerdictOf, type EarlierVerdicts, madeOf, skippedOf, verdictOf } from './verdicts.js';

/** What the evidence store adds to the summary. */
export interface ReportExtras {
  verdicts: EarlierVerdicts;
  /** All findings by an image's (clipped) name. */
  findings?: ReadonlyMap<string, ImageFindings>;
  /** What is different from the last run; null when there was none. */
  changes?: (images: readonly ReportImage[]) => Changes | null;
  evidence?: readonly EvidenceFile[];
  traffic?: readonly HostTraffic[];
  /** Texts of the run's templates, by key. */
  templates?: ReadonlyMap<string, string>;
  /** Outputs of steps that no outcome refers to, by key. */
  stepOutputs?: ReadonlyMap<string, EvidenceRef>;
}

const HOUR = 3_600_000;

/** The report of a run. Pure: equal inputs give equal reports, so a retried write changes nothing. */
export function buildReport(
  summary: RunSummaryForReport,
  records: readonly ImageRecord[],
  extras: ReportExtras,
): Report {
  const { config, database, ended } = summary;
  const all = records
    .map((record) => imageOf(record, summary, extras))
    .sort((a, b) => compare(a.image, b.image) || compare(a.target ?? '', b.target ?? ''));
  const { images, ...findings } = listFindings(all);
  const counts: Record<string, number> = {};
  for (const { outcome } of images) counts[outcome.kind] = (counts[outcome.kind] ?? 0) + 1;
  const day = summary.finishedAt.slice(0, 10);
  const report: Report = {
    version: 1,
    verdict: {
      ok:
        ended.kind === 'completed' &&
        images.every(({ outcome }) => !FAILING_OUTCOMES.includes(outcome.kind)) &&
        summary.accounts.every(({ kind }) => kind !== 'refused' && kind !== 'failed'),
      scanned: config?.scan ?? true,
      sentence: '',
    },
    run: {
      id: summary.runId,
      workflowId: summary.workflowId,
      startedAt: summary.startedAt,
      finishedAt: summary.finishedAt,
      end:
        ended.kind === 'failed'
          ? { kind: 'failed', type: ended.type, message: clip(ended.message) }
          : { kind: ended.kind, type: null, message: null },
    },
    configuration:
      config === null
        ? null
        : {
            registry: config.registry,
            harness: config.harness.gateway,
            account: config.harness.account,
            answeredBy: summary.answeredBy,
            sourceRegistries: config.sourceRegistries,
            include: config.include,
            exclude: config.exclude,
            infra: config.infra,
            modifyDefault: config.modifyDefault,
            gatherScanTemplate: templateOf(config.gatherScan, config.gatherScan.digest, extras),
            buildPushTemplate: templateOf(config.buildPush, config.buildPush.templateDigest, extras),
            policy: {
              digest: config.gatherScan.policyDigest,
              failOn: config.gatherScan.policy.failOn,
              fixableOnly: config.gatherScan.policy.fixableOnly,
              action: config.gatherScan.policy.action,
              notScannable: config.gatherScan.policy.notScannable,
              maxDatabaseAgeHours: config.gatherScan.policy.maxDatabaseAgeHours,
            },
          },
    database,
    engine: summary.engine ?? null,
    templateSteps: stepsOf(summary.templateSteps, undefined, summary, extras),
    counts,
    findings,
    changes: extras.changes?.(images) ?? null,
    traffic: [...(extras.traffic ?? [])],
    evidence: [...(extras.evidence ?? [])],
    needsAttention: [],
    images,
    accounts: summary.accounts.map(({ snapshotKey, updated, rejected, ...account }) => ({
      ...account,
      reason: clip(account.reason),
      snapshot: snapshotKey,
      updated: updated.map(({ field, before, value }) => ({ field, before, after: value })),
      rejected: rejected.map((field) => ({ ...field, reason: clip(field.reason) })),
    })),
    exceptions: (config?.gatherScan.policy.exceptions ?? []).map((exception) => ({
      ...exception,
      package: exception.package ?? null,
      expired: exception.expires < day,
    })),
  };
  report.needsAttention = attentionOf(report);
  report.verdict.sentence = sentenceOf(report);
  return report;
}

function imageOf(record: ImageRecord, run: RunSummaryForReport, extras: ReportExtras): ReportImage {
  const { item, outcome } = record;
  const resolved = item.state === 'unresolved' ? null : item;
  const own = 'verdict' in outcome ? outcome.verdict : null;
  const last = resolved?.lastVerdict ?? null;
  const whole = verdictOf(record, extras.verdicts);
  const built = builtVerdictOf(record, extras.verdicts, run.config);
  return {
    image: clip(item.image, 300),
    source: resolved?.source ?? null,
    sourceDigest: resolved?.sourceDigest ?? null,
    target: item.target,
    targetDigest: outcome.kind === 'mirrored' ? outcome.built.digest : (resolved?.targetDigest ?? null),
    previousTargetDigest: resolved?.targetDigest ?? null,
    state: item.state,
    reason: clip(item.reason),
    drift: resolved?.drift ?? null,
    outcome: {
      kind: outcome.kind,
      note: clip(noteOf(outcome)),
      step: outcome.kind === 'failed' ? outcome.step : null,
      type: outcome.kind === 'failed' ? outcome.type : null,
    },
    fields: item.fields,
    platforms: platformsOf(record, whole, built?.verdict ?? null),
    skippedPlatforms: skippedOf(record).map((platform) => clip(platform, 100)),
    buildLog: madeOf(outcome)?.log ?? null,
    verdict: viewOf(own ?? last, whole, run, own === null ? (last?.key ?? null) : null),
    builtVerdict: built === null ? null : viewOf(built.verdict, built.verdict, run, built.key),
    findings: extras.findings?.get(clip(item.image, 300)) ?? { total: 0, list: [], unread: [] },
    steps: 'steps' in outcome ? outcome.steps : [],
    templateSteps: stepsOf(
      'templateSteps' in outcome ? outcome.templateSteps : undefined,
      item.image,
      run,
      extras,
    ),
    push: outcome.kind === 'mirrored' ? outcome.push : null,
  };
}

/** @param key where it lies; null when this run made it */
function viewOf(
  judged: Verdict | VerdictSummary | null,
  whole: Verdict | null,
  { finishedAt }: RunSummaryForReport,
  key: string | null,
): ReportImage['verdict'] {
  if (judged === null) return null;
  return {
    decision: judged.decision,
    rule: clip(judged.rule),
    scannedAt: judged.scannedAt,
    ageHours: Math.max(0, Math.floor((Date.parse(finishedAt) - Date.parse(judged.scannedAt)) / HOUR)),
    thisRun: key === null,
    policyDigest: judged.policyDigest,
    databaseUpdatedAt: whole?.database.updatedAt ?? null,
    evidence: key,
  };
}

/** Platforms of what was made and of what was scanned, joined by name; those that were left out are not among them. */
function platformsOf(
  record: ImageRecord,
  verdict: Verdict | null,
  builtVerdict: Verdict | null,
): ReportImage['platforms'] {
  const built = new Map(madeOf(record.outcome)?.platforms.map((one) => [one.platform, one]) ?? []);
  const pushed = record.outcome.kind === 'mirrored';
  const scanned = new Map(verdict?.platforms.map((one) => [one.platform, one]) ?? []);
  const afterBuild = new Map(builtVerdict?.platforms.map((one) => [one.platform, one]) ?? []);
  for (const platform of skippedOf(record)) scanned.delete(platform);
  return [...new Set([...built.keys(), ...scanned.keys(), ...afterBuild.keys()])].map((platform) => {
    const scan = scanned.get(platform);
    const copy = built.get(platform);
    return {
      platform: clip(platform, 100),
      sourceDigest: copy?.source ?? scan?.digest ?? null,
      targetDigest: pushed ? (copy?.target ?? null) : null,
      how: copy === undefined ? null : (copy.how ?? 'labelled'),
      scan: scanOf(scan),
      builtScan: scanOf(afterBuild.get(platform)),
    };
  });
}

function scanOf(scan: PlatformVerdict | undefined): ReportImage['platforms'][number]['scan'] {
  if (scan === undefined) return null;
  const { status, counts, fixable, suppressed, reason, evidence, others = [] } = scan;
  return {
    status,
    counts,
    fixable,
    suppressed,
    reason: reason === undefined ? null : clip(reason),
    evidence,
    others: others.map((one) => ({ scanner: clip(one.scanner, 100), evidence: one.evidence })),
  };
}
