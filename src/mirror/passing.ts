import type { Digest, Reference } from '../contract/brand.js';
import { splitReference } from '../registry/reference.js';
import { WHOLE_BYTES } from '../registry/traits.js';
import type { BlobPart, Descriptor, Registry } from '../registry/types.js';
import type { ContentStore } from '../store/content.js';
import { Passage } from './passage.js';

/** The most that are remembered of what broke off; the oldest are forgotten, and may pass once more. */
const MAX_REMEMBERED = 20_000;

/**
 * Says which blobs may pass from the source to the target without a stop on this worker's disk, which takes a third of the
 * CPU of a first mirror (measured, issue 5): those that can go on where they broke off without it, because they are sent in
 * parts, and those that are small enough to begin again.
 *
 * One that broke off is kept when its beginning is asked for again, so that it does not leave the source a third time.
 */
export class Passing {
  /** Begun, and not known to have arrived. */
  readonly #begun = new Set<Digest>();

  constructor(
    private readonly registry: Pick<Registry, 'blob'>,
    private readonly content: Pick<ContentStore, 'expects'>,
  ) {}

  /**
   * @param part the first that is wanted; undefined where the blob is sent in one request.
   * @returns undefined where the blob is kept, or has to be.
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
    const mayBreakOff = part !== undefined || size <= WHOLE_BYTES;
    if (size === 0 || again || !mayBreakOff || this.content.expects(descriptor)) return undefined;
    this.#begin(digest);
    const repository = splitReference(reference);
    return new Passage(
      descriptor,
      (stop, at) => this.registry.blob(repository, descriptor, stop, at),
      from,
      signal,
    );
  }

  /** It arrived: another run may have it pass again. */
  arrived({ digest }: Descriptor): void {
    this.#begun.delete(digest);
  }

  #begin(digest: Digest): void {
    this.#begun.add(digest);
    const [oldest] = this.#begun;
    if (this.#begun.size > MAX_REMEMBERED && oldest !== undefined) this.#begun.delete(oldest);
  }
}
