import { inOrder } from '../common/in-order.js';
import type { StepContext } from '../common/step.js';
import type { PushTask } from '../contract/activities.js';
import type { PushSummary } from '../contract/outcome.js';
import type { BuildEngine } from '../engines/engine.js';
import { isBlobUnknown, tagImmutable } from '../registry/errors.js';
import { atDigest, splitReference } from '../registry/reference.js';
import type { Descriptor, RawManifest, Registry } from '../registry/types.js';
import { isRepeatable, rebuild } from './built.js';
import type { BuiltTree } from './built-content.js';
import { type BlobDependencies, pushBlobs } from './push-blobs.js';

export interface PushDependencies extends BlobDependencies {
  engine: BuildEngine;
}

/**
 * Brings a built image into the target: blobs, then each platform's manifest by digest. The tag is verify's to put. What
 * the registry has is not sent again.
 *
 * @throws FactoryError `TagImmutable`; those of the registries, the engine and the content store.
 */
export async function pushImage(
  task: PushTask,
  dependencies: PushDependencies,
  context: StepContext,
): Promise<PushSummary> {
  const { content, target } = dependencies;
  const tree = await rebuild(task, dependencies, context);
  const release = content.lease(
    [...tree.manifests, tree.top].map(digestOf).concat(tree.blobs.map((blob) => blob.digest)),
  );
  try {
    await assertTagIsFree(task, target, context.signal);
    if (task.repair) target.forget(splitReference(task.target));
    const first = await pushBlobs(tree, task, dependencies, context);
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

/**
 * By digest: the tag still holds what builds pull now. The top of what only this worker has goes too, for a verify on
 * another worker to find it there.
 */
async function putManifests(
  { manifests, top }: BuiltTree,
  task: PushTask,
  target: Registry,
  signal: AbortSignal,
): Promise<void> {
  const put = (manifest: RawManifest): Promise<void> =>
    target.putManifest(atDigest(task.target, manifest.descriptor.digest), manifest, signal);
  await inOrder(manifests.map(put));
  const listed = manifests.some(({ descriptor }) => descriptor.digest === top.descriptor.digest);
  if (!isRepeatable(task) && !listed) await put(top);
}
