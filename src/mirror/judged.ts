import type { VerdictSummary } from '../contract/plan.js';
import type { RunConfig } from '../contract/run.js';
import type { Verdict } from '../contract/verdict.js';
import type { RawManifest } from '../registry/types.js';
import { readLastVerdict } from '../scanners/verdict-store.js';
import type { EvidenceStore } from '../store/evidence.js';
import type { LedgerEntry } from './ledger.js';

type Judgement = Pick<Verdict, 'decision' | 'policyDigest'>;

const isOfPolicy = ({ policyDigest }: Judgement, { gatherScan }: RunConfig): boolean =>
  policyDigest === gatherScan.policyDigest;

/** Why an image that is in place has to be scanned all the same, or null. @param last on its source */
export function whyScan(config: RunConfig, last: VerdictSummary | null): string | null {
  if (!config.scan) return null;
  if (last === null) return 'no scan of it is on record';
  if (!isOfPolicy(last, config)) return 'the policy or a scanner changed since its last scan';
  // Its fix or an exception may have come since; and a blocked image must not pass for a good one.
  return last.decision === 'block' ? 'its last scan blocked it' : null;
}

/**
 * Why what an engine made of the source, and the tag holds, has to be made again so that it can be scanned; null where it
 * need not be. A verdict on the source says nothing of the layers that were built on it, and they can be scanned only on
 * the worker that built them.
 *
 * @param entry the tag's, when we remember it
 * @throws FactoryError `EvidenceUnavailable`
 */
export async function whyBuildAgain(
  config: RunConfig,
  held: RawManifest,
  entry: LedgerEntry | undefined,
  evidence: EvidenceStore,
  signal: AbortSignal,
): Promise<string | null> {
  const { engine, platforms } = config.buildPush;
  if (!config.scan || engine !== 'buildkit') return null;
  const { digest } = held.descriptor;
  // What was only labelled has its source's layers; without an entry that says so it counts as built.
  if (entry?.digest === digest && entry.built === false) return null;
  const last = await readLastVerdict(evidence, digest, platforms, signal);
  if (last === undefined) return 'what was built of it was not scanned';
  if (!isOfPolicy(last, config)) return 'what was built of it was not judged by this policy';
  return last.decision === 'block' ? 'the last scan of what was built of it blocked it' : null;
}
