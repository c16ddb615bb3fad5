import { FactoryError } from '../common/errors.js';
import type { Digest, Reference } from '../contract/brand.js';
import { splitReference } from '../registry/reference.js';
import { WHOLE_BYTES } from '../registry/traits.js';
import type { ByteStream, Descriptor, Registry } from '../registry/types.js';
import type { ContentStore } from '../store/content.js';
import { BlobHash } from '../store/hashing.js';

/** The most blobs that are remembered; the oldest are forgotten, and may pass once more. */
const MAX_REMEMBERED = 20_000;

/**
 * Lets blobs pass from the source to whoever sends them on, without a stop on this worker's disk: for layers of 8 and
 * 16 MiB that is a third of the CPU of a first mirror, and as much time (measured, issue 5). Only what is sent in one
 * request passes, since larger blobs are gone on with where they broke off, and only once: who asks for it again (another
 * attempt, a registry that does not mount) finds it kept from then on, so that nothing leaves the source a third time.
 */
export class Passing {
  readonly #passed = new Set<Digest>();

  constructor(
    private readonly registry: Pick<Registry, 'blob'>,
    private readonly content: Pick<ContentStore, 'expects'>,
  ) {}

  /**
   * A blob's bytes, asked for at once; the last of them are held back until all are found to have the digest. A buffer is
   * the reader's until it asks for the one after the next. Undefined where the blob is kept, or has to be.
   * The stream fails with `TransferCorrupt`, as `Registry.blob` does, or with the signal's reason.
   */
  open(reference: Reference, descriptor: Descriptor, signal: AbortSignal): ByteStream | undefined {
    const { digest, size } = descriptor;
    if (size === 0 || size > WHOLE_BYTES || this.#passed.has(digest) || this.content.expects(descriptor))
      return undefined;
    this.#remember(digest);
    const left = new AbortController();
    const coming = this.registry.blob(
      splitReference(reference),
      descriptor,
      AbortSignal.any([signal, left.signal]),
    );
    coming.catch(() => {}); // whoever reads it is told
    const bytes = checked(coming, descriptor);
    return {
      [Symbol.asyncIterator]: () => bytes,
      destroy: () => left.abort(new DOMException('nobody reads it any more', 'AbortError')),
    };
  }

  #remember(digest: Digest): void {
    this.#passed.add(digest);
    const [oldest] = this.#passed;
    if (this.#passed.size > MAX_REMEMBERED && oldest !== undefined) this.#passed.delete(oldest);
  }
}

/** @param coming has exactly as many bytes as the descriptor says, or fails. */
async function* checked(
  coming: Promise<ByteStream>,
  { digest, size }: Descriptor,
): AsyncGenerator<Buffer, void> {
  const hash = new BlobHash();
  const stream = await coming;
  let left = size;
  try {
    for await (const piece of stream) {
      left -= piece.length;
      if (left > 0) yield piece; // hashed while it is on its way
      hash.update(piece);
      if (left > 0) continue;
      if (hash.digest() !== digest)
        throw new FactoryError('TransferCorrupt', `The source sent other bytes than ${digest} has.`);
      yield piece;
    }
  } finally {
    stream.destroy();
  }
}
