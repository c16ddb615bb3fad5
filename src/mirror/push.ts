import pLimit from 'p-limit';
import { FactoryError } from '../common/errors.js';
import type { StepContext } from '../common/step.js';
import type { PushTask } from '../contract/activities.js';
import type { PushSummary } from '../contract/outcome.js';
import type { BuildEngine } from '../engines/engine.js';
import { isBlobUnknown } from '../registry/errors.js';
import { atDigest, splitReference } from '../registry/reference.js';
import type { Descriptor, RawManifest, Registry } from '../registry/types.js';
import type { ContentStore } from '../store/content.js';
import type { EvidenceStore } from '../store/evidence.js';
import type { BlobLocations } from './blob-locations.js';
import { type BuiltTree, readBuilt } from './built.js';
import type { SourceFetcher } from './fetch.js';
import { readLedger, writeLedger } from './ledger.js';

/** Blobs of one image under way at once: enough to fill a link, few enough to share it with other images. */
const BLOBS_AT_ONCE = 4;

export interface PushDependencies {
  content: ContentStore;
  fetcher: SourceFetcher;
  engine: BuildEngine;
  target: Registry;
  locations: BlobLocations;
  evidence: EvidenceStore;
}

/**
 * Brings a built image into the target: blobs, then each platform's manifest by digest, then the top by its tag, so the
 * tag never names something that is not all there. What the registry has is not sent again.
 *
 * @throws FactoryError of the registries, the engine and the content store.
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
  const tree = await readBuilt(content, built.digest, task.target);
  const release = content.lease(
    [...tree.manifests, tree.top].map(digestOf).concat(tree.blobs.map((blob) => blob.digest)),
  );
  try {
    if (task.repair) target.forget(splitReference(task.target));
    const summary = await pushBlobs(tree, task, dependencies, context);
    await announce(task, dependencies, context.signal);
    await putManifests(tree, task, target, context.signal).catch(async (error: unknown) => {
      if (!isBlobUnknown(error)) throw error;
      target.forget(splitReference(task.target));
      await pushBlobs(tree, task, dependencies, context);
      await putManifests(tree, task, target, context.signal);
    });
    return summary;
  } finally {
    release();
  }
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

async function pushBlobs(
  { blobs }: BuiltTree,
  task: PushTask,
  dependencies: PushDependencies,
  context: StepContext,
): Promise<PushSummary> {
  const total = blobs.reduce((sum, blob) => sum + blob.size, 0);
  const summary: PushSummary = { blobs: blobs.length, uploadedBlobs: 0, mountedBlobs: 0, uploadedBytes: 0 };
  let bytes = 0;
  const limit = pLimit(BLOBS_AT_ONCE);
  // One failed blob ends the push: the others are told, so that none goes on behind a retry's back.
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const onBytes = (count: number): void => {
    bytes += count;
    context.progress({ phase: 'push', bytes, total });
  };
  const ends = await Promise.allSettled(
    blobs.map((blob) =>
      limit(async () => {
        try {
          signal.throwIfAborted();
          const how = await pushBlob(blob, task, dependencies, signal, onBytes);
          if (how === 'mounted') summary.mountedBlobs++;
          if (how !== 'uploaded') return onBytes(blob.size);
          summary.uploadedBlobs++;
          summary.uploadedBytes += blob.size;
        } catch (error) {
          stop.abort(error);
          throw error;
        }
      }),
    ),
  );
  context.signal.throwIfAborted();
  if (stop.signal.aborted) throw stop.signal.reason;
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return summary;
}

async function pushBlob(
  blob: Descriptor,
  task: PushTask,
  { content, fetcher, target, locations }: PushDependencies,
  signal: AbortSignal,
  onBytes: (count: number) => void,
): Promise<'present' | 'mounted' | 'uploaded'> {
  const repository = splitReference(task.target);
  if (!(await content.has(blob.digest))) {
    // Unscanned runs come here with empty hands: what the target has need not leave the source.
    if ((await target.headBlob(repository, blob.digest, signal)) === blob.size) return 'present';
    await fetcher.blob(task.source, blob, { signal });
  }
  const mountFrom = locations.find(repository, blob.digest);
  let told = 0;
  const { how } = await target.ensureBlob(repository, blob, (part) => content.open(blob.digest, part), {
    signal,
    onBytes: (sent) => {
      onBytes(sent - told);
      told = sent;
    },
    ...(mountFrom === undefined ? {} : { mountFrom }),
  });
  locations.add(repository, blob.digest);
  return how;
}
