import type { BuiltImage, ImageOutcome, ImageRecord } from '../contract/outcome.js';
import type { RunConfig } from '../contract/run.js';
import type { PlatformVerdict, Verdict } from '../contract/verdict.js';
import { verdictKey } from '../scanners/verdict-store.js';

/** Whole verdicts of earlier runs, by their evidence keys. */
export type EarlierVerdicts = ReadonlyMap<string, Verdict>;

/** The whole verdict on an image's source: this run's own, else the last one on record. */
export function verdictOf({ item, outcome }: ImageRecord, earlier: EarlierVerdicts): Verdict | null {
  if ('verdict' in outcome && outcome.verdict !== null) return outcome.verdict;
  const last = item.state === 'unresolved' ? null : item.lastVerdict;
  return (last === null ? undefined : earlier.get(last.key)) ?? null;
}

/** What this run made of an image, pushed or blocked; undefined when it made nothing. */
export const madeOf = (outcome: ImageOutcome): BuiltImage | undefined =>
  'built' in outcome ? outcome.built : undefined;

/** Whether the image is as an earlier run left it: this one looked at it, and made nothing. */
const isAsItWas = ({ outcome }: ImageRecord): boolean =>
  outcome.kind === 'unchanged' || (outcome.kind === 'rescanned' && !outcome.builtVerdict);

/** Platforms of the source that the copy was made without, by this run or by the one that made it. */
export function skippedOf(record: ImageRecord): readonly string[] {
  const { item, outcome } = record;
  const made = madeOf(outcome);
  if (made !== undefined) return made.skipped ?? [];
  return item.state !== 'unresolved' && isAsItWas(record) ? (item.skipped ?? []) : [];
}

/**
 * Where the verdict lies on what an earlier run built, for an image that is still as that run left it; undefined where
 * nothing was built, or this run built it anew.
 */
export function earlierBuiltKey(record: ImageRecord, config: RunConfig | null): string | undefined {
  const { item } = record;
  if (config?.buildPush.engine !== 'buildkit') return undefined;
  if (item.state === 'unresolved' || item.targetDigest === null) return undefined;
  return isAsItWas(record) ? verdictKey(item.targetDigest, config.buildPush.platforms) : undefined;
}

/** The whole verdict on what a Docker Engine built of an image, and where it lies if an earlier run made it. */
export function builtVerdictOf(
  record: ImageRecord,
  earlier: EarlierVerdicts,
  config: RunConfig | null,
): { verdict: Verdict; key: string | null } | null {
  const { outcome } = record;
  if ('builtVerdict' in outcome && outcome.builtVerdict !== undefined)
    return { verdict: outcome.builtVerdict, key: null };
  const key = earlierBuiltKey(record, config);
  const verdict = key === undefined ? undefined : earlier.get(key);
  return key === undefined || verdict === undefined ? null : { verdict, key };
}

/** What runs on each platform of the copy: what was built where something was, else the source's layers. */
export function standingScans(
  record: ImageRecord,
  earlier: EarlierVerdicts,
  config: RunConfig | null,
): PlatformVerdict[] {
  const built = builtVerdictOf(record, earlier, config)?.verdict.platforms ?? [];
  const skipped = skippedOf(record);
  const source = (verdictOf(record, earlier)?.platforms ?? []).filter(
    ({ platform }) => !skipped.includes(platform),
  );
  const scans = new Map([...source, ...built].map((scan) => [scan.platform, scan]));
  return [...scans.values()];
}
