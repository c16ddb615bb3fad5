import type { PushTask } from '../contract/activities.js';
import type { BlobPart, Descriptor } from '../registry/types.js';
import type { Arriving, ContentStore } from '../store/content.js';
import type { SourceFetcher } from './fetch.js';
import type { Passage } from './passage.js';

/** Where the bytes of one blob come from. Nothing is asked of the source until somebody opens it. */
export class BlobSource {
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #arriving: Arriving | undefined;
  #passage: Passage | undefined;

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

  /**
   * Its bytes or those of a part, as `Registry.ensureBlob` wants them. It is called only where the target neither has the
   * blob nor mounts it.
   * @param wantedAgain whether the target's host has it elsewhere: the next image will have to be sent it, too.
   */
  open(part: BlobPart | undefined, wantedAgain: boolean): AsyncIterable<Buffer> {
    const { content, fetcher } = this.dependencies;
    const wanted = part ?? { from: 0, length: this.blob.size };
    if (this.made) return content.open(this.blob.digest, wanted);
    if (this.#arriving !== undefined || wantedAgain) return this.#throughStore(wanted);
    if (this.#passage === undefined || wanted.from === 0) {
      this.#passage?.abort(); // asked for from the beginning again: it broke off
      this.#passage = fetcher.passing.begin(this.task.source, this.blob, part, this.#signal);
    }
    return this.#passage === undefined ? this.#throughStore(wanted) : this.#pass(this.#passage, wanted);
  }

  /** All was sent: frees what has passed, waits for what is kept. @throws what the download threw */
  async settle(): Promise<void> {
    this.#passage?.release();
    this.dependencies.fetcher.passing.arrived(this.blob);
    await this.#arriving?.done;
  }

  /** Ends what is under way; settles when nothing is written to the content store any more. */
  async stop(reason: unknown): Promise<void> {
    this.#stop.abort(reason);
    await this.#arriving?.done.catch(() => undefined);
  }

  async *#pass(passage: Passage, part: BlobPart): AsyncGenerator<Buffer> {
    if (await passage.isBounded()) return yield* passage.read(part);
    passage.abort();
    yield* this.#throughStore(part);
  }

  #throughStore(part: BlobPart): AsyncIterable<Buffer> {
    const { fetcher } = this.dependencies;
    this.#arriving ??= fetcher.arrive(this.task.source, this.blob, { signal: this.#signal });
    return this.#arriving.open(part);
  }
}
