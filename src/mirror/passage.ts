import { FactoryError } from '../common/errors.js';
import { WHOLE_BYTES } from '../registry/traits.js';
import type { BlobPart, ByteStream, Descriptor } from '../registry/types.js';
import { BlobHash } from '../store/hashing.js';

/** An answer of the source, and what has been read of it. */
interface Asked {
  stream: Promise<ByteStream>;
  stop: AbortController;
  pieces: AsyncIterator<Buffer> | undefined;
  /** What has come and is not read yet; it begins at the passage's place. */
  rest: Buffer | undefined;
}

/**
 * One blob on its way from the source to whoever sends it on, in one or several parts, and not to this worker's disk. One
 * answer of the source serves all parts that follow on each other; where one does not (the target has less than was sent),
 * or where the answer broke off, the source is asked for the rest.
 *
 * Each byte is hashed when it first comes, and the last ones are held back unless all have the digest. What is asked for
 * again, or came before this passage began (another attempt goes on with the target's session), only the target checks:
 * it is told the digest at the end (distribution-spec, "Pushing a blob in chunks").
 */
export class Passage {
  #asked: Asked | undefined;
  #at: number;
  /** Who reads. One whose request has ended may still wait for a piece when the next begins. */
  #reader: object | undefined;
  readonly #hash: BlobHash | undefined;
  #hashed = 0;

  /**
   * Asks the source at once.
   * @param ask for the bytes from `from` on: exactly those to the end, or it fails.
   */
  constructor(
    private readonly blob: Descriptor,
    private readonly ask: (signal: AbortSignal, from: number) => Promise<ByteStream>,
    from: number,
    private readonly signal: AbortSignal,
  ) {
    this.#hash = from === 0 ? new BlobHash() : undefined;
    this.#at = from;
    this.#ask(from);
  }

  /** Whether the source waits when nobody reads: else a large blob would fill the memory in front of a slow target. */
  async isBounded(): Promise<boolean> {
    const stream = await this.#asked?.stream.catch(() => undefined); // whoever reads it is told
    return stream === undefined || this.#fits(stream);
  }

  /**
   * The bytes of a part. A buffer is the reader's until it asks for the one after the next. The source is asked again once
   * when its answer breaks off: it may have waited for long while the target took its time with the part before.
   * @throws FactoryError `TransferCorrupt`; what the source fails with; the signal's reason if it fired
   */
  async *read({ from, length }: BlobPart): AsyncGenerator<Buffer, void> {
    if (this.#reader !== undefined) this.abort();
    const reader = {};
    this.#reader = reader;
    let mayAskAgain = true;
    try {
      for (let at = from; at < from + length; ) {
        const asked = this.#answerAt(at);
        const stream = await asked.stream;
        if (!this.#fits(stream)) throw this.#broken(at, 'can’t be slowed down');
        let piece: Buffer;
        try {
          piece = asked.rest ?? (await this.#next(asked, stream, at));
        } catch (error) {
          if (this.#reader !== reader) return;
          this.abort();
          if (!mayAskAgain || this.signal.aborted) throw error;
          mayAskAgain = false;
          continue;
        }
        if (this.#reader !== reader) return; // the next one has begun, and nobody wants these
        const bytes = piece.subarray(0, from + length - at);
        asked.rest = bytes.length < piece.length ? piece.subarray(bytes.length) : undefined;
        this.#check(bytes, at);
        at += bytes.length;
        this.#at = at;
        yield bytes;
      }
    } finally {
      if (this.#reader === reader) this.#reader = undefined;
    }
  }

  /** All was sent: nobody looks at a piece any more, so that their buffers can be lent again. */
  release(): void {
    this.#asked?.stream.then(
      (stream) => stream.destroy(),
      () => {},
    );
    this.#asked = undefined;
  }

  /** Ends the source's answer. Pieces may still be on their way to the target, so their buffers are not lent again. */
  abort(): void {
    this.#asked?.stop.abort(new DOMException('nobody reads it any more', 'AbortError'));
    this.#asked = undefined;
  }

  #answerAt(at: number): Asked {
    if (at !== this.#at) this.abort();
    this.#at = at;
    return this.#asked ?? this.#ask(at);
  }

  #ask(from: number): Asked {
    const stop = new AbortController();
    const stream = this.ask(AbortSignal.any([this.signal, stop.signal]), from);
    stream.catch(() => {}); // whoever reads it is told
    this.#asked = { stream, stop, pieces: undefined, rest: undefined };
    return this.#asked;
  }

  async #next(asked: Asked, stream: ByteStream, at: number): Promise<Buffer> {
    asked.pieces ??= stream[Symbol.asyncIterator]();
    const { value, done } = await asked.pieces.next();
    if (done === true) throw this.#broken(at, 'ended it');
    return value;
  }

  /** What is small fits into the memory whole. */
  #fits(stream: ByteStream): boolean {
    return this.blob.size <= WHOLE_BYTES || stream.unbounded !== true;
  }

  /** Takes in what was not seen before, and looks at the whole when it is complete. */
  #check(bytes: Buffer, at: number): void {
    const { digest, size } = this.blob;
    if (this.#hash === undefined || at > this.#hashed || at + bytes.length <= this.#hashed) return;
    this.#hash.update(bytes.subarray(this.#hashed - at));
    this.#hashed = at + bytes.length;
    if (this.#hashed === size && this.#hash.digest() !== digest)
      throw new FactoryError('TransferCorrupt', `The source sent other bytes than ${digest} has.`);
  }

  #broken(at: number, what: string): FactoryError {
    return new FactoryError(
      'TransferCorrupt',
      `The source of ${this.blob.digest} ${what} after ${at} bytes.`,
    );
  }
}
