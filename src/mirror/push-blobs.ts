import { FactoryError } from '../common/errors.js';
import type { Lanes, Turn } from '../common/lanes.js';
import type { StepContext } from '../common/step.js';
import type { PushTask } from '../contract/activities.js';
import type { PushSummary } from '../contract/outcome.js';
import { splitReference } from '../registry/reference.js';
import type { Descriptor, Registry, UploadResult } from '../registry/types.js';
import type { ContentStore } from '../store/content.js';
import type { BlobLocations } from './blob-locations.js';
import { BlobSource } from './blob-source.js';
import { contentLost, isRepeatable } from './built.js';
import type { BuiltTree } from './built-content.js';
import type { SourceFetcher } from './fetch.js';

/**
 * Of all images of a worker: enough to fill a link while some blobs wait for an answer. The fleet's 688 MB over 60 MB/s
 * and 20 ms each way, data path alone: 12.5 to 13.4 s with 6, 13.3 with 8, 13.8 with 12, 14.9 with 4 (measured on a busy
 * machine).
 */
export const BLOBS_AT_ONCE = 6;

export interface BlobDependencies {
  content: ContentStore;
  fetcher: SourceFetcher;
  target: Registry;
  locations: BlobLocations;
  /** Shared by all images in work. */
  lanes: Lanes;
}

/**
 * Brings an image's blobs into the target's repository. What is there, or can be mounted, does not leave the source; what
 * has to be fetched is sent on while it comes.
 *
 * @throws FactoryError of the registries and the content store.
 */
export async function pushBlobs(
  { blobs, made }: BuiltTree,
  task: PushTask,
  dependencies: BlobDependencies,
  context: StepContext,
): Promise<PushSummary> {
  const total = blobs.reduce((sum, blob) => sum + blob.size, 0);
  const summary: PushSummary = { blobs: blobs.length, uploadedBlobs: 0, mountedBlobs: 0, uploadedBytes: 0 };
  let bytes = 0;
  // First image first: those that share a link fairly come to their ends together, and while all of them put and verify
  // manifests it is idle (18.6 s there).
  const turn = dependencies.lanes.join();
  // One failed blob ends the push: the others are told, so that none goes on behind a retry's back.
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const onBytes = (count: number): void => {
    bytes += count;
    context.progress({ phase: 'push', bytes, total });
  };
  // The largest first: what is left at the end is then short.
  const ends = await Promise.allSettled(
    blobs
      .toSorted((a, b) => b.size - a.size)
      .map(async (blob) => {
        try {
          const push = new BlobPush(blob, made.has(blob.digest), task, dependencies, turn, signal, onBytes);
          const how = await push.run();
          if (how === 'mounted') summary.mountedBlobs++;
          if (how !== 'uploaded') return onBytes(blob.size);
          summary.uploadedBlobs++;
          summary.uploadedBytes += blob.size;
        } catch (error) {
          stop.abort(error);
          throw error;
        }
      }),
  );
  context.signal.throwIfAborted();
  if (stop.signal.aborted) throw stop.signal.reason;
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return summary;
}

class BlobPush {
  #told = 0;

  constructor(
    private readonly blob: Descriptor,
    /** Whether we made it, so that no source has it. */
    private readonly made: boolean,
    private readonly task: PushTask,
    private readonly dependencies: BlobDependencies,
    private readonly turn: Turn,
    private readonly signal: AbortSignal,
    private readonly onBytes: (count: number) => void,
  ) {}

  async run(): Promise<UploadResult['how']> {
    const { content } = this.dependencies;
    const { digest } = this.blob;
    try {
      return await this.#send();
    } catch (error) {
      // Other bytes than meant: where ours are to blame, damaged on this disk since, they are fetched anew.
      const corrupt = error instanceof FactoryError && error.type === 'TransferCorrupt';
      if (!corrupt || !(await content.has(digest)) || (await content.check(digest))) throw error;
      // What we made is made again, by another attempt where that is all it takes.
      if (this.made) throw isRepeatable(this.task) ? error : contentLost(this.task, digest);
      return this.#send();
    }
  }

  async #send(): Promise<UploadResult['how']> {
    const { blob, signal, dependencies, task } = this;
    const { target, locations } = dependencies;
    const repository = splitReference(task.target);
    const source = new BlobSource(blob, this.made, task, dependencies, signal);
    try {
      const { how } = await locations.bring(repository, blob.digest, signal, (mountFrom) =>
        this.turn(signal, () =>
          target.ensureBlob(repository, blob, (part) => source.open(part, mountFrom !== undefined), {
            signal,
            onBytes: (sent) => {
              this.onBytes(sent - this.#told);
              this.#told = sent;
            },
            ...(mountFrom === undefined ? {} : { mountFrom }),
          }),
        ),
      );
      await source.settle();
      return how;
    } catch (error) {
      await source.stop(error);
      throw error;
    }
  }
}
