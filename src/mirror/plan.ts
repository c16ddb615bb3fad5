import pLimit from 'p-limit';
import { FactoryError } from '../common/errors.js';
import type { Digest, Reference } from '../contract/brand.js';
import type { PlanItem, ResolvedItem, VerdictSummary } from '../contract/plan.js';
import type { DiscoveredImage, RunConfig } from '../contract/run.js';
import type { Descriptor, Registry } from '../registry/types.js';
import { readLastVerdict } from '../scanners/verdict-store.js';
import type { EvidenceStore } from '../store/evidence.js';
import { whyBuildAgain, whyScan } from './judged.js';
import { type LedgerEntry, readLedger } from './ledger.js';
import { type Mark, readMark } from './mark.js';

/** Images whose registries are asked at once. Each costs two small requests where nothing changed. */
const IMAGES_AT_ONCE = 20;

export interface PlanDependencies {
  source: Registry;
  target: Registry;
  evidence: EvidenceStore;
}

/**
 * Compares a page of discovered images with what the registry holds. An image that can't be read is `unresolved` and
 * stops no other.
 *
 * @param patient whether a fault that may pass is worth another attempt of the whole page; else it is a reason too.
 */
export async function planImages(
  images: readonly DiscoveredImage[],
  config: RunConfig,
  dependencies: PlanDependencies,
  patient: boolean,
  signal: AbortSignal,
): Promise<PlanItem[]> {
  const limit = pLimit(IMAGES_AT_ONCE);
  return Promise.all(
    images.map((image) =>
      limit(async () => {
        try {
          return await planImage(image, config, dependencies, signal);
        } catch (error) {
          if (!(error instanceof FactoryError) || (patient && worthWaiting(error))) throw error;
          return unresolved(image, error.message);
        }
      }),
    ),
  );
}

/** A host that asks for more time than this is not waited for: one image would hold back all others. */
const MAX_WAIT_MS = 60_000;

const worthWaiting = (error: FactoryError): boolean =>
  error.retryable && (error.retryAfterMs ?? 0) <= MAX_WAIT_MS;

const unresolved = (image: DiscoveredImage, reason: string): PlanItem => ({
  state: 'unresolved',
  image: image.name,
  fields: image.fields,
  target: image.target,
  reason,
});

async function planImage(
  image: DiscoveredImage,
  config: RunConfig,
  { source, target, evidence }: PlanDependencies,
  signal: AbortSignal,
): Promise<PlanItem> {
  if (image.problem !== undefined || image.target === null) {
    return unresolved(image, image.problem ?? 'it has no target');
  }
  const found = await findSource(image.candidates, source, signal);
  if (found === undefined) {
    return unresolved(
      image,
      `not found at ${image.candidates.join(', ')}: check the name, or SOURCE_REGISTRY`,
    );
  }
  const [held, ledger, verdict] = await Promise.all([
    target.manifest(image.target, signal),
    readLedger(evidence, image.target, signal),
    readLastVerdict(evidence, found.descriptor.digest, config.buildPush.platforms, signal),
  ]);
  const meant = { sourceDigest: found.descriptor.digest, templateDigest: config.buildPush.templateDigest };
  const mark = held && (await readMark(held, image.target, target, ledger, signal));
  const lastVerdict = verdict ? summaryOf(verdict) : null;
  const scan = whyScan(config, lastVerdict);
  let compared = compare(meant, held?.descriptor.digest, mark, ledger, scan);
  const asMeant = held !== undefined && (compared.state === 'unchanged' || compared.state === 'needs-scan');
  const again = asMeant ? await whyBuildAgain(config, held, ledger, evidence, signal) : null;
  if (again !== null) compared = { state: 'update', drift: null, reason: again };
  if (compared.state === 'update' && (await target.keepsTag(image.target, signal)))
    compared.reason += '; the tag is immutable there, so that nothing else can be pushed to it';
  return {
    image: image.name,
    fields: image.fields,
    source: found.reference,
    sourceDigest: found.descriptor.digest,
    target: image.target,
    targetDigest: held?.descriptor.digest ?? null,
    lastVerdict,
    ...(ledger?.skipped !== undefined && ledger.digest === held?.descriptor.digest
      ? { skipped: ledger.skipped }
      : {}),
    ...compared,
  };
}

/**
 * The first candidate that has the image. A registry that lacks it, won't let us or limits us gives way to the next; one
 * that is only down does not, since the next may hold another image under that name.
 */
async function findSource(
  candidates: readonly Reference[],
  source: Registry,
  signal: AbortSignal,
): Promise<{ reference: Reference; descriptor: Descriptor } | undefined> {
  let refusal: unknown;
  for (const reference of candidates) {
    try {
      const descriptor = await source.head(reference, signal);
      if (descriptor) return { reference, descriptor };
    } catch (error) {
      const passing =
        error instanceof FactoryError && error.retryable && error.type !== 'RegistryRateLimited';
      if (passing || signal.aborted) throw error;
      refusal ??= error;
    }
  }
  if (refusal !== undefined) throw refusal;
  return undefined;
}

type Comparison = Pick<ResolvedItem, 'state' | 'drift' | 'reason'>;

/** What has to be done, from what is meant, what is there, what its marks say and what we remember. Pure. */
export function compare(
  meant: Mark,
  held: Digest | undefined,
  mark: Mark | undefined,
  ledger: LedgerEntry | undefined,
  scan: string | null,
): Comparison {
  const verified = ledger && (ledger.verifiedAt === null ? ledger.previous : ledger.digest);
  if (held === undefined) {
    return verified
      ? { state: 'create', drift: 'missing', reason: 'the tag that we pushed is gone' }
      : { state: 'create', drift: null, reason: 'the registry does not have it' };
  }
  // Marks can be copied onto other content, the digest can't: where we remember it, it decides.
  const update = (reason: string): Comparison => ({ state: 'update', drift: null, reason });
  if (ledger?.verifiedAt === null && ledger.digest === held)
    return update('it was never verified, or found damaged since');
  if (verified && verified !== held) {
    return { state: 'update', drift: 'replaced', reason: 'the tag no longer holds what we pushed' };
  }
  if (mark === undefined) return update('the tag holds an image without our mark');
  if (mark.sourceDigest !== meant.sourceDigest) return update('the source has a new image');
  if (mark.templateDigest !== meant.templateDigest) return update('the build template changed');
  return scan === null
    ? { state: 'unchanged', drift: null, reason: 'same source and same template' }
    : { state: 'needs-scan', drift: null, reason: scan };
}

const summaryOf = ({ decision, rule, scannedAt, policyDigest, key }: VerdictSummary): VerdictSummary => ({
  decision,
  rule,
  scannedAt,
  policyDigest,
  key,
});
