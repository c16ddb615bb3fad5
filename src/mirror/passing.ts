import type { Digest, Reference } from '../contract/brand.js';
import { splitReference } from '../registry/reference.js';
import { WHOLE_BYTES } from '../registry/traits.js';
import type { BlobPart, Descriptor, Registry } from '../registry/types.js';
import type { ContentStore } from '../store/content.js';
import { Passage } from './passage.js';

/** The most that are remembered; the oldest are forgotten, and may pass once more. */
const MAX_REMEMBERED = 20_000;

/**
 * Says which blobs may pass from the source to the target without being written to this worker's disk. Writing and reading
 * them again costs a third of a first mirror's CPU (measured, issue 5); what it buys is to go on from there when a transfer
 * breaks off. So those pass that can do without: what is sent in parts goes on from where the target is, and what is small
 * begins again.
 *
 * A blob that did not arrive and has to begin again goes through the content store: as long as this worker lives, it leaves
 * the source twice at most, however often its target fails.
 */
export class Passing {
  /** Under way, or broken off. */
  readonly #begun = new Set<Digest>();

  constructor(
    private readonly registry: Pick<Registry, 'blob'>,
    private readonly content: Pick<ContentStore, 'expects'>,
  ) {}

  /**
   * @param part the first that is wanted; undefined where the blob is sent in one request.
   * @returns undefined where the blob must go through the content store.
   */
  begin(
    reference: Reference,
    descriptor: Descriptor,
    part: BlobPart | undefined,
    signal: AbortSignal,
  ): Passage | undefined {
    const { digest, size } = descriptor;
    const from = part?.from ?? 0;
    const again = from === 0 && this.#begun.has(digest);
    const canDoWithout = part !== undefined || size <= WHOLE_BYTES;
    if (size === 0 || again || !canDoWithout || this.content.expects(descriptor)) return undefined;
    this.#remember(digest);
    const repository = splitReference(reference);
    return new Passage(
      descriptor,
      (stop, at) => this.registry.blob(repository, descriptor, stop, at),
      from,
      signal,
    );
  }

  /** It is in the target, however it came there: another run may have it pass again. */
  arrived({ digest }: Descriptor): void {
    this.#begun.delete(digest);
  }

  #remember(digest: Digest): void {
    this.#begun.add(digest);
    const [oldest] = this.#begun;
    if (this.#begun.size > MAX_REMEMBERED && oldest !== undefined) this.#begun.delete(oldest);
  }
}
