import { pipeline, type Readable, Transform, type TransformCallback } from 'node:stream';
import { FactoryError } from '../common/errors.js';

/** More or fewer bytes than were announced. */
export const wrongSize = (what: string, size: number, found: string): FactoryError =>
  new FactoryError(
    'TransferCorrupt',
    `${what} should have ${size} bytes but ${found}: it is fetched or sent again`,
  );

/** Takes exactly `size` bytes and passes them on but for the first `skip`; more or fewer are `TransferCorrupt`. */
class SizeGuard extends Transform {
  readonly #size: number;
  readonly #skip: number;
  readonly #what: string;
  readonly #onBytes: ((bytes: number) => void) | undefined;
  readonly #translate: (error: Error) => Error;
  #passed = 0;

  constructor(options: GuardOptions) {
    super();
    this.#size = options.size;
    this.#skip = options.skip ?? 0;
    this.#what = options.what;
    this.#onBytes = options.onBytes;
    this.#translate = options.translate ?? ((error) => error);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#passed += chunk.length;
    if (this.#passed > this.#size) {
      done(this.#corrupt('has more'));
      return;
    }
    try {
      this.#onBytes?.(this.#passed);
    } catch (error) {
      // Thrown through a pipe it would end the process.
      done(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    const skipped = Math.min(chunk.length, Math.max(0, this.#skip - (this.#passed - chunk.length)));
    if (skipped < chunk.length) this.push(skipped === 0 ? chunk : chunk.subarray(skipped));
    done();
  }

  override _flush(done: TransformCallback): void {
    done(this.#passed < this.#size ? this.#corrupt(`ended after ${this.#passed}`) : null);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    done(error === null ? null : this.#translate(error));
  }

  #corrupt(found: string): FactoryError {
    return wrongSize(this.#what, this.#size, found);
  }
}

export interface GuardOptions {
  size: number;
  /** So many bytes of it are left out at the start; none when absent. */
  skip?: number;
  /** What flows, for the message. */
  what: string;
  onBytes?: ((bytes: number) => void) | undefined;
  /** Makes the error that the reader gets of whatever broke the stream. */
  translate?: (error: Error) => Error;
}

/** `source`, guarded: the two end together, whichever is destroyed first. */
export function guarded(source: Readable, options: GuardOptions): Readable {
  // The outcome reaches the reader through the guard itself.
  return pipeline(source, new SizeGuard(options), () => {});
}
