import { FactoryError } from '../common/errors.js';
import type { StepContext } from '../common/step.js';
import type { PushTask } from '../contract/activities.js';
import type { PushSummary } from '../contract/outcome.js';
import type { BuildEngine } from '../engines/engine.js';
import { isBlobUnknown, tagImmutable } from '../registry/errors.js';
import { atDigest, splitReference } from '../registry/reference.js';
import type { Descriptor, RawManifest, Registry } from '../registry/types.js';
import type { EvidenceStore } from '../store/evidence.js';
import { type BuiltTree, readBuilt } from './built.js';
import { readLedger, writeLedger } from './ledger.js';
import { type BlobDependencies, pushBlobs } from './push-blobs.js';

export interface PushDependencies extends BlobDependencies {
  engine: BuildEngine;
  evidence: EvidenceStore;
}

/**
 * Brings a built image into the target: blobs, then each platform's manifest by digest, then the top by its tag, so the
 * tag never names something that is not all there. What the registry has is not sent again.
 *
 * @throws FactoryError `TagImmutable`; those of the registries, the engine and the content store.
 */
export async function pushImage(
  task: PushTask,
  dependencies: PushDependencies,
  context: StepContext,
): Promise<PushSummary> {
  const { content, engine, target } = dependencies;
  // Deterministic and cheap, so any worker can push what another one built.
  const built = await engine.build(task, context);
  if (built.digest !== task.built.digest) {
    throw new FactoryError(
      'ImageUnsupported',
      `${task.image} is built differently by this worker than by the one before: run the same version on all workers`,
    );
  }
  await assertTagIsFree(task, target, context.signal);
  const tree = await readBuilt(content, built, task.target);
  const release = content.lease(
    [...tree.manifests, tree.top].map(digestOf).concat(tree.blobs.map((blob) => blob.digest)),
  );
  try {
    if (task.repair) target.forget(splitReference(task.target));
    const first = await pushBlobs(tree, task, dependencies, context);
    await announce(task, dependencies, context.signal);
    try {
      await putManifests(tree, task, target, context.signal);
      return first;
    } catch (error) {
      if (!isBlobUnknown(error)) throw error;
      target.forget(splitReference(task.target));
      const again = await pushBlobs(tree, task, dependencies, context);
      await putManifests(tree, task, target, context.signal);
      return both(first, again);
    }
  } finally {
    release();
  }
}

/** What two looks at the same blobs brought there. */
const both = (first: PushSummary, again: PushSummary): PushSummary => ({
  blobs: first.blobs,
  uploadedBlobs: first.uploadedBlobs + again.uploadedBlobs,
  mountedBlobs: first.mountedBlobs + again.mountedBlobs,
  uploadedBytes: first.uploadedBytes + again.uploadedBytes,
});

/** Where the host tells beforehand, nothing is sent for a tag that can't be put. */
async function assertTagIsFree(
  { target: reference, built }: PushTask,
  target: Registry,
  signal: AbortSignal,
): Promise<void> {
  if (!(await target.keepsTag(reference, signal))) return;
  const held = await target.head(reference, signal);
  if (held !== undefined && held.digest !== built.digest)
    throw tagImmutable(splitReference(reference).host, reference);
}

const digestOf = ({ descriptor }: RawManifest): Descriptor['digest'] => descriptor.digest;

/** Remembers what the tag is about to hold, and that nobody has verified it there yet. */
async function announce(task: PushTask, { evidence }: PushDependencies, signal: AbortSignal): Promise<void> {
  const { target, built, sourceDigest, build, runId } = task;
  const before = await readLedger(evidence, target, signal);
  if (before?.digest === built.digest && before.verifiedAt === null) return;
  const previous = before === undefined ? null : before.verifiedAt === null ? before.previous : before.digest;
  const { templateDigest } = build;
  const entry = {
    target,
    digest: built.digest,
    sourceDigest,
    templateDigest,
    runId,
    verifiedAt: null,
    previous,
  };
  await writeLedger(evidence, entry, signal);
}

/** Platforms by digest first, the tag last. */
async function putManifests(
  { top, manifests }: BuiltTree,
  task: PushTask,
  target: Registry,
  signal: AbortSignal,
): Promise<void> {
  const children = manifests.filter((manifest) => manifest !== top);
  await Promise.all(
    children.map((child) =>
      target.putManifest(atDigest(task.target, child.descriptor.digest), child, signal),
    ),
  );
  await target.putManifest(task.target, top, signal);
}
