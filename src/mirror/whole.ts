import pLimit from 'p-limit';
import { FactoryError } from '../common/errors.js';
import type { Digest, Reference } from '../contract/brand.js';
import type { FieldUpdate, RejectedField } from '../contract/outcome.js';
import { parseManifest } from '../registry/manifest.js';
import { atDigest, splitReference } from '../registry/reference.js';
import type { Descriptor, Registry } from '../registry/types.js';
import type { EvidenceStore } from '../store/evidence.js';
import { doubtLedger } from './ledger.js';

/** Images, and requests for each, under way at once. */
const IMAGES_AT_ONCE = 3;
const LOOKS_AT_ONCE = 6;

/**
 * Which fields may not be set, since builds could not pull their image now: its tag names something else, or the registry
 * has lost a manifest or blob below it. A plan looks at the top alone, so that a quiet night costs next to nothing; this
 * is for the few images that an account is about to be set to (issue 6, "done when"). What is found damaged no longer
 * counts as verified, so that the next run mends it.
 *
 * @throws FactoryError of a registry that can't be asked.
 */
export async function unfitUpdates(
  updates: readonly FieldUpdate[],
  { target: registryOf, evidence }: { target: (reference: Reference) => Registry; evidence: EvidenceStore },
  signal: AbortSignal,
): Promise<RejectedField[]> {
  const limit = pLimit(IMAGES_AT_ONCE);
  const looks = new Map<Reference, Promise<string | undefined>>(); // fields share images
  const lookAt = async ({ target, digest }: FieldUpdate): Promise<string | undefined> => {
    const fault = await whyNotWhole(target, digest, registryOf(target), signal);
    if (fault !== undefined) await doubtLedger(evidence, target, signal);
    return fault;
  };
  const rejected = await Promise.all(
    updates.map(async (update) => {
      const { field, value, target } = update;
      const look = looks.get(target) ?? limit(() => lookAt(update));
      looks.set(target, look);
      const fault = await look;
      return fault === undefined ? [] : [{ field, value, reason: `not set: ${fault}` }];
    }),
  );
  return rejected.flat();
}

/** Why builds could not pull an image by its tag, or undefined when all of it is there. */
async function whyNotWhole(
  target: Reference,
  meant: Digest | undefined,
  registry: Registry,
  signal: AbortSignal,
): Promise<string | undefined> {
  const repository = splitReference(target);
  const limit = pLimit(LOOKS_AT_ONCE);
  const blobs = new Map<Digest, Descriptor>();
  const lacking = (what: string, digest: Digest): string => `the registry has lost ${what} ${digest}`;

  const manifest = async (digest: Digest): Promise<string | undefined> => {
    const held = await limit(() => present(() => registry.manifest(atDigest(target, digest), signal)));
    if (held === undefined) return lacking('the manifest', digest);
    const parsed = parseManifest(held.bytes, target);
    if (parsed.kind === 'manifest') {
      for (const blob of [parsed.config, ...parsed.layers.filter((layer) => !layer.foreign)])
        blobs.set(blob.digest, blob);
      return undefined;
    }
    return firstOf(parsed.entries.map((entry) => manifest(entry.digest)));
  };

  const tagged = await registry.head(target, signal);
  if (tagged === undefined || (meant !== undefined && tagged.digest !== meant))
    return `${target} holds ${tagged?.digest ?? 'nothing'} instead of ${meant ?? 'an image'}`;
  const fault = await manifest(tagged.digest);
  if (fault !== undefined) return fault;
  return firstOf(
    [...blobs.values()].map(async (blob) => {
      const size = await limit(() => present(() => registry.headBlob(repository, blob.digest, signal)));
      if (size === undefined) return lacking('the blob', blob.digest);
      return size === blob.size
        ? undefined
        : `${blob.digest} has ${size} bytes there instead of ${blob.size}`;
    }),
  );
}

const firstOf = async (looks: readonly Promise<string | undefined>[]): Promise<string | undefined> =>
  (await Promise.all(looks)).find((fault) => fault !== undefined);

/** What is there; damaged content counts as none. Other faults are thrown, since they may pass. */
async function present<T>(look: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    const damaged =
      error instanceof FactoryError &&
      (error.type === 'TransferCorrupt' || error.type === 'ImageUnsupported');
    if (!damaged) throw error;
    return undefined;
  }
}
