import { FactoryError } from '../common/errors.js';
import type { Digest } from '../contract/brand.js';
import type { Policy } from '../contract/run.js';
import type { EvidenceRef, PlatformVerdict, Verdict } from '../contract/verdict.js';
import { digestOf, hexOf } from '../registry/digest.js';
import type { EvidenceStore } from '../store/evidence.js';
import { applyExceptions, type JudgedFinding } from './policy.js';
import { sarifFindings } from './sarif.js';
import { reportFindings } from './trivy-report.js';
import { verdictSchema } from './verdict-schema.js';

/**
 * Where the last verdict on an image lies. Of each selection of platforms its own: a pass of some says nothing about a
 * block that another caused.
 *
 * @param digest of the source, or of what was built.
 */
export function verdictKey(digest: Digest, platforms: readonly string[]): string {
  const selection = [...new Set(platforms)].sort().join(',');
  const suffix = selection === '' ? '' : `-${hexOf(digestOf(selection)).slice(0, 8)}`;
  return `verdicts/${hexOf(digest)}${suffix}.json`;
}

/**
 * Records the verdict as the last one on an image, whatever name it has.
 *
 * @param platforms the selection that was scanned, in any order; empty for all.
 * @throws FactoryError `EvidenceUnavailable`
 */
export async function writeVerdict(
  evidence: EvidenceStore,
  digest: Digest,
  platforms: readonly string[],
  verdict: Verdict,
  signal?: AbortSignal,
): Promise<EvidenceRef> {
  return evidence.put(verdictKey(digest, platforms), `${JSON.stringify(verdict, null, 2)}\n`, signal);
}

/**
 * The last verdict on an image and where it lies; undefined when there is none, or none that can be read: then
 * the image is scanned again.
 *
 * @param selection the platforms that it must be about, in any order; empty for all.
 * @throws FactoryError `EvidenceUnavailable`
 */
export async function readLastVerdict(
  evidence: EvidenceStore,
  digest: Digest,
  selection: readonly string[],
  signal?: AbortSignal,
): Promise<(Verdict & { key: string }) | undefined> {
  const key = verdictKey(digest, selection);
  const bytes = await evidence.get(key, signal);
  if (bytes === undefined) return undefined;
  const parsed = verdictSchema.safeParse(parseJson(bytes));
  if (!parsed.success) return undefined;
  const { platforms, ...verdict } = parsed.data;
  return {
    ...verdict,
    platforms: platforms.map(({ reason, others, ...rest }) => ({
      ...rest,
      ...(reason === undefined ? {} : { reason }),
      ...(others === undefined ? {} : { others }),
    })),
    key,
  };
}

/**
 * A platform's distinct findings, worst first, out of the raw evidence of all its scanners; those that the policy's exceptions
 * take out today carry the exception.
 *
 * @throws FactoryError `EvidenceUnavailable` when the evidence is gone, or is not what the verdict was made from.
 */
export async function readFindings(
  evidence: EvidenceStore,
  platform: PlatformVerdict,
  options: { policy?: Pick<Policy, 'exceptions'>; today?: string; signal?: AbortSignal } = {},
): Promise<JudgedFinding[]> {
  const findings = reportFindings(await rawEvidence(evidence, platform.evidence, options.signal));
  // One after another: a scanner's output may be large, and is held while it is parsed.
  for (const { scanner, evidence: raw } of platform.others ?? [])
    for (const found of sarifFindings(await rawEvidence(evidence, raw, options.signal), scanner))
      findings.push(found);
  const today = options.today ?? new Date().toISOString().slice(0, 10);
  return applyExceptions(findings, options.policy?.exceptions ?? [], today);
}

async function rawEvidence(
  evidence: EvidenceStore,
  { key, digest }: EvidenceRef,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const bytes = await evidence.get(key, signal);
  if (bytes !== undefined && digestOf(bytes) === digest) return bytes;
  const what = bytes === undefined ? 'is gone' : 'was changed';
  throw new FactoryError('EvidenceUnavailable', `The evidence ${key} ${what}: scan the image again.`);
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
