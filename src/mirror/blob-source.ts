import type { PushTask } from '../contract/activities.js';
import type { BlobPart, ByteStream, Descriptor } from '../registry/types.js';
import type { Arriving, ContentStore } from '../store/content.js';
import type { SourceFetcher } from './fetch.js';

/** Where the bytes of one blob come from. Nothing is asked of the source until somebody opens it. */
export class BlobSource {
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #arriving: Arriving | undefined;
  #passing: ByteStream | undefined;

  /** @param made whether an engine made it, so that only this worker has it. */
  constructor(
    private readonly blob: Descriptor,
    private readonly made: boolean,
    private readonly task: Pick<PushTask, 'source'>,
    private readonly dependencies: { content: ContentStore; fetcher: SourceFetcher },
    signal: AbortSignal,
  ) {
    this.#signal = AbortSignal.any([signal, this.#stop.signal]);
  }

  /** Its bytes or those of a part, as `Registry.ensureBlob` wants them. */
  readonly open = (part?: BlobPart): AsyncIterable<Buffer> => {
    const { content, fetcher } = this.dependencies;
    if (this.made) return content.open(this.blob.digest, part ?? { from: 0, length: this.blob.size });
    this.#passing?.destroy(); // it broke off
    this.#passing =
      part === undefined ? fetcher.passing.open(this.task.source, this.blob, this.#signal) : undefined;
    if (this.#passing !== undefined) return this.#passing;
    this.#arriving ??= fetcher.arrive(this.task.source, this.blob, { signal: this.#signal });
    return this.#arriving.open(part);
  };

  /** Waits until what was begun is in the content store. @throws what the download threw */
  async settle(): Promise<void> {
    await this.#arriving?.done;
  }

  /** Ends what is under way; settles when it has ended. */
  async stop(reason: unknown): Promise<void> {
    this.#stop.abort(reason);
    await this.#arriving?.done.catch(() => undefined);
  }
}
