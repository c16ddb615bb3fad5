import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { RunSummaryForReport } from '../contract/activities.js';
import type { RunConfig } from '../contract/run.js';
import type { EvidenceStore } from '../store/evidence.js';
import { type Earlier, earlierSchema } from './changes.js';

/** Where the newest report is named, for scripts. */
export const LATEST = 'latest.json';
/** Runs that never came to the account, or were of another registry, are passed over; this many, then it is enough. */
const MOST_PASSED_OVER = 10;

const pointerSchema = z.object({ runId: z.string(), finishedAt: z.string(), json: z.string() });
type Pointer = z.infer<typeof pointerSchema>;

async function readJson<T>(
  evidence: EvidenceStore,
  key: string,
  schema: z.ZodType<T>,
  signal?: AbortSignal,
): Promise<T | undefined> {
  const bytes = await evidence.get(key, signal);
  if (bytes === undefined) return undefined;
  try {
    return schema.safeParse(JSON.parse(bytes.toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

/** The pointer as it is now, when it is whole. */
export const readLatest = (evidence: EvidenceStore, signal?: AbortSignal): Promise<Pointer | undefined> =>
  readJson(evidence, LATEST, pointerSchema, signal);

/**
 * Of the same registry, account and selection: a run of a few images would have all others of the account gone. Reports of
 * an older version do not say what they were to look at.
 */
function isOfTheSame({ configuration: before }: Earlier, config: RunConfig): boolean {
  if (before?.registry !== config.registry || before.account !== config.harness.account) return false;
  const same = (was: readonly string[] | undefined, is: readonly string[]): boolean =>
    was === undefined || isDeepStrictEqual(was.toSorted(), is.toSorted());
  return (
    same(before.infra, config.infra) &&
    same(before.include, config.include) &&
    same(before.exclude, config.exclude)
  );
}

const previousKey = (runId: string): string => `runs/${runId}/previous.json`;

/**
 * The report to compare with: the last one of the same registry, account and selection. Which run came before is written down
 * before this run is the latest itself, so that a retry finds the same one.
 *
 * @throws FactoryError `EvidenceUnavailable`
 */
export async function readPrevious(
  evidence: EvidenceStore,
  { runId, finishedAt, config }: RunSummaryForReport,
  signal?: AbortSignal,
): Promise<{ earlier: Earlier; key: string } | undefined> {
  const latest = await readLatest(evidence, signal);
  const before = latest !== undefined && latest.runId !== runId && latest.finishedAt < finishedAt;
  await evidence.putOnce(previousKey(runId), `${JSON.stringify(before ? latest : null, null, 2)}\n`, signal);
  if (config === null) return undefined;
  let id = runId;
  for (let passed = 0; passed <= MOST_PASSED_OVER; passed += 1) {
    const pointer = await readJson(evidence, previousKey(id), pointerSchema, signal);
    if (pointer === undefined || !/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(pointer.runId)) return undefined;
    const key = `runs/${pointer.runId}/report.json`;
    const earlier = await readJson(evidence, key, earlierSchema, signal);
    if (earlier !== undefined && isOfTheSame(earlier, config)) return { earlier, key };
    id = pointer.runId;
  }
  return undefined;
}
