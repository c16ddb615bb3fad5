import { FactoryError } from '../common/errors.js';
import { WHOLE_BYTES } from '../registry/traits.js';
import type { BlobPart, ByteStream, Descriptor } from '../registry/types.js';
import { BlobHash } from '../store/hashing.js';

/**
 * One blob on its way from the source to whoever sends it on, in one or several parts, and not to this worker's disk. One
 * answer of the source serves all parts that follow on each other; where one does not (the target has less than was sent),
 * or where the answer broke off since, the source is asked for the rest.
 *
 * The last bytes are held back until all were found to have the digest. Only where another process began, nobody here has
 * seen the first: then it is the target that finds out, when it is told the digest (distribution-spec, "Pushing a blob in
 * chunks"), as it was for every blob that it had before.
 */
export class Passage {
  #coming: { stream: Promise<ByteStream>; stop: AbortController } | undefined;
  #pieces: AsyncIterator<Buffer> | undefined;
  /** What has come and is not read yet begins here. */
  #at: number;
  #rest: Buffer | undefined;
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
    this.#start(from);
  }

  /** Whether the source waits when nobody reads: else a large blob would fill the memory in front of a slow target. */
  async isBounded(): Promise<boolean> {
    if (this.blob.size <= WHOLE_BYTES) return true;
    const stream = await this.#coming?.stream.catch(() => undefined); // whoever reads it is told
    return stream?.unbounded !== true;
  }

  /**
   * The bytes of a part. A buffer is the reader's until it asks for the one after the next.
   * @throws FactoryError `TransferCorrupt`; what the source fails with; the signal's reason if it fired
   */
  async *read({ from, length }: BlobPart): AsyncGenerator<Buffer, void> {
    const end = from + length;
    // The source may have ended the answer while the target took its time with the part before.
    let patient = from === this.#at && this.#pieces !== undefined;
    for (let at = from; at < end; ) {
      let piece: Buffer;
      try {
        piece = await this.#next(at);
      } catch (error) {
        this.#abandon();
        if (!patient || this.signal.aborted) throw error;
        patient = false;
        continue;
      }
      patient = false;
      const bytes = piece.subarray(0, end - at);
      this.#rest = bytes.length < piece.length ? piece.subarray(bytes.length) : undefined;
      this.#check(bytes, at);
      at += bytes.length;
      this.#at = at;
      yield bytes;
    }
  }

  /** All was sent: nobody looks at a piece any more. */
  end(): void {
    const coming = this.#coming;
    this.#coming = undefined;
    coming?.stream.then(
      (stream) => stream.destroy(),
      () => {},
    );
  }

  /** Ends what is under way. Pieces may still be on their way to the target, so their buffers are not lent again. */
  stop(): void {
    this.#abandon();
  }

  /** What comes at a place: what is left of the piece before, or else the next. */
  async #next(at: number): Promise<Buffer> {
    if (at !== this.#at) this.#abandon();
    if (this.#rest !== undefined) return this.#rest;
    const { stream } = this.#coming ?? this.#start(at);
    this.#pieces ??= (await stream)[Symbol.asyncIterator]();
    const { value, done } = await this.#pieces.next();
    if (done !== true && value.length > 0) return value;
    throw new FactoryError('TransferCorrupt', `The source ended ${this.blob.digest} after ${at} bytes.`);
  }

  #start(from: number): { stream: Promise<ByteStream> } {
    const stop = new AbortController();
    const stream = this.ask(AbortSignal.any([this.signal, stop.signal]), from);
    stream.catch(() => {}); // whoever reads it is told
    this.#coming = { stream, stop };
    return this.#coming;
  }

  #abandon(): void {
    this.#coming?.stop.abort(new DOMException('nobody reads it any more', 'AbortError'));
    this.#coming = undefined;
    this.#pieces = undefined;
    this.#rest = undefined;
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
}
