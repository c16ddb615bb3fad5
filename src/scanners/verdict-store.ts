import { FactoryError } from '../common/errors.js';
import type { Digest } from '../contract/brand.js';
import type { Policy } from '../contract/run.js';
import type { EvidenceRef, PlatformVerdict, Verdict } from '../contract/verdict.js';
import { digestOf, hexOf } from '../registry/digest.js';
import type { EvidenceStore } from '../store/evidence.js';
import { applyExceptions, type JudgedFinding } from './policy.js';
import { reportFindings } from './trivy-report.js';
import { verdictSchema } from './verdict-schema.js';

/** Of each selection of platforms its own: a pass of some says nothing about a block that another caused. */
function keyOf(sourceDigest: Digest, platforms: readonly string[]): string {
  const selection = [...new Set(platforms)].sort().join(',');
  const suffix = selection === '' ? '' : `-${hexOf(digestOf(selection)).slice(0, 8)}`;
  return `verdicts/${hexOf(sourceDigest)}${suffix}.json`;
}

/**
 * Records the verdict as the last one on a source image, whatever name it has.
 *
 * @param platforms the selection that was scanned, in any order; empty for all.
 * @throws FactoryError `EvidenceUnavailable`
 */
export async function writeVerdict(
  evidence: EvidenceStore,
  sourceDigest: Digest,
  platforms: readonly string[],
  verdict: Verdict,
  signal?: AbortSignal,
): Promise<EvidenceRef> {
  return evidence.put(keyOf(sourceDigest, platforms), `${JSON.stringify(verdict, null, 2)}\n`, signal);
}

/**
 * The last verdict on a source image and where it lies; undefined when there is none, or none that can be read: then
 * the image is scanned again.
 *
 * @param selection the platforms that it must be about, in any order; empty for all.
 * @throws FactoryError `EvidenceUnavailable`
 */
export async function readLastVerdict(
  evidence: EvidenceStore,
  sourceDigest: Digest,
  selection: readonly string[],
  signal?: AbortSignal,
): Promise<(Verdict & { key: string }) | undefined> {
  const key = keyOf(sourceDigest, selection);
  const bytes = await evidence.get(key, signal);
  if (bytes === undefined) return undefined;
  const parsed = verdictSchema.safeParse(parseJson(bytes));
  if (!parsed.success) return undefined;
  const { platforms, ...verdict } = parsed.data;
  return {
    ...verdict,
    platforms: platforms.map(({ reason, ...rest }) => (reason === undefined ? rest : { ...rest, reason })),
    key,
  };
}

/**
 * A platform's distinct findings, worst first, out of the scanner's raw evidence; those that the policy's exceptions
 * take out today carry the exception.
 *
 * @throws FactoryError `EvidenceUnavailable` when the evidence is gone, or is not what the verdict was made from.
 */
export async function readFindings(
  evidence: EvidenceStore,
  platform: PlatformVerdict,
  options: { policy?: Pick<Policy, 'exceptions'>; today?: string; signal?: AbortSignal } = {},
): Promise<JudgedFinding[]> {
  const { key } = platform.evidence;
  const bytes = await evidence.get(key, options.signal);
  if (bytes === undefined || digestOf(bytes) !== platform.evidence.digest) {
    const what = bytes === undefined ? 'is gone' : 'was changed';
    throw new FactoryError('EvidenceUnavailable', `The evidence ${key} ${what}: scan the image again.`);
  }
  const today = options.today ?? new Date().toISOString().slice(0, 10);
  return applyExceptions(reportFindings(bytes), options.policy?.exceptions ?? [], today);
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
