import { setMaxListeners } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { type Dispatcher, errors } from 'undici';
import { lendBuffer, PIECE_BYTES, returnBuffer } from '../common/buffers.js';
import type { Gate, InPlaceOptions } from '../common/in-place.js';
import type { ByteStream } from './types.js';

/** A piece is handed on when it is full, or this old: what crawls in shall be seen and kept as well. */
const MAX_AGE_MS = 1000;

/** The head of an answer, and its body while it comes. */
export interface Received {
  statusCode: number;
  headers: IncomingHttpHeaders;
  body: ByteStream;
}

export interface ReceiveOptions extends Omit<Dispatcher.DispatchOptions, 'bodyTimeout'> {
  signal: AbortSignal | undefined;
  /** The longest pause in the body, in milliseconds, while we want more of it. undici would also count what we hold back. */
  idleMs: number;
  /** The longest that all of it may take, in milliseconds; without it only pauses are bounded. */
  wholeMs?: number | undefined;
  /** Gets the length of each piece of the body that comes. */
  onBytes?: ((length: number) => void) | undefined;
}

/**
 * One exchange of HTTP, like undici's `request`, but whose body comes in pieces of up to 1 MiB, copied out of what the
 * connection reads into (`inPlaceAgent`) while it is there. A piece is the reader's until it asks for the one after
 * the next.
 *
 * @throws what undici fails with; the signal's reason if it fired; a `TimeoutError` after `wholeMs`
 */
export function receive(
  dispatcher: Dispatcher,
  { signal, wholeMs, idleMs, onBytes, ...options }: ReceiveOptions,
): Promise<Received> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const receiver = new Receiver(resolve, reject, signal, idleMs, onBytes);
    if (wholeMs !== undefined) receiver.endAfter(wholeMs);
    const known: InPlaceOptions = {
      ...options,
      bodyTimeout: 0,
      onGate: (gate) => receiver.readThrough(gate),
    };
    dispatcher.dispatch(known, receiver);
  });
}

class Receiver implements Dispatcher.DispatchHandler, ByteStream {
  #controller: Dispatcher.DispatchController | undefined;
  #state: 'coming' | 'whole' | { error: unknown } = 'coming';
  /** Full pieces that nobody has asked for yet. */
  readonly #ready: Buffer[] = [];
  /** Those that its reader still has, two at most. */
  readonly #given: Buffer[] = [];
  #filling: Buffer | undefined;
  #filled = 0;
  #began = 0;
  /** What is left of the body, as its head says. */
  #left: number | undefined;
  #wake: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;
  /** Slows the connection down while there are pieces that nobody has asked for. */
  #gate: Gate | undefined;
  readonly #giveUp = (): void => this.#abort(this.signal?.reason);

  constructor(
    private readonly answered: (received: Received) => void,
    private readonly failed: (error: unknown) => void,
    private readonly signal: AbortSignal | undefined,
    private readonly idleMs: number,
    private readonly onBytes: ReceiveOptions['onBytes'],
  ) {
    if (signal !== undefined) setMaxListeners(0, signal); // many requests wait on a caller's
    signal?.addEventListener('abort', this.#giveUp, { once: true });
  }

  get unbounded(): boolean {
    return this.#gate === NO_GATE && this.#state === 'coming';
  }

  readThrough(gate: Gate): void {
    this.#gate = gate;
  }

  endAfter(ms: number): void {
    this.#timer = setTimeout(() => this.#abort(new DOMException('it took too long', 'TimeoutError')), ms);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // Given up while it waited for a connection.
    if (typeof this.#state === 'object') controller.abort(errorOf(this.#state.error));
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: IncomingHttpHeaders,
  ): void {
    if (statusCode < 200) return; // an interim answer (RFC 9110, 15.2)
    const length = Number(headers['content-length'] ?? Number.NaN);
    this.#left = Number.isSafeInteger(length) ? length : undefined;
    // Behind a proxy undici's parser is all that can be slowed, and only where the server does not end the connection.
    const framed = this.#left !== undefined || headers['transfer-encoding'] !== undefined;
    const closes = !framed || /close/i.test(String(headers.connection ?? ''));
    this.#gate ??= closes ? NO_GATE : { hold: () => controller.pause(), release: () => controller.resume() };
    this.answered({ statusCode, headers, body: this });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.onBytes?.(chunk.length);
    this.#idle?.refresh();
    for (let at = 0; at < chunk.length; ) {
      if (this.#filling === undefined) this.#began = performance.now();
      this.#filling ??= lendBuffer(Math.min(PIECE_BYTES, Math.max(this.#left ?? 0, chunk.length - at)));
      const copied = chunk.copy(this.#filling, this.#filled, at);
      at += copied;
      this.#filled += copied;
      if (this.#left !== undefined) this.#left -= copied;
      const old = this.#wake !== undefined && performance.now() - this.#began > MAX_AGE_MS;
      if (old || this.#filled === this.#filling.length) this.#close(this.#filling);
    }
    if (this.#ready.length === 0) return;
    if (this.#wake !== undefined) this.#wakeUp();
    else if (this.#left !== 0) this.#gate?.hold();
  }

  onResponseEnd(): void {
    if (this.#filling !== undefined) this.#close(this.#filling);
    this.#end('whole');
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#filling !== undefined) this.#close(this.#filling); // what has come has come
    this.#end({ error });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void> {
    try {
      for (;;) {
        const piece = this.#ready.shift();
        if (piece === undefined) {
          if (this.#state === 'whole') return;
          if (this.#state !== 'coming') throw this.#state.error;
          const more = new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
          // Before the gate opens: what was held may come through it at once, and ends the wait.
          this.#idle = setTimeout(() => this.#abort(new errors.BodyTimeoutError()), this.idleMs);
          this.#gate?.release();
          await more;
          continue;
        }
        if (this.#ready.length === 0) this.#gate?.release();
        this.#given.push(piece);
        yield piece;
        // Asked for the one after it: the one before it is free.
        if (this.#given.length > 1) returnBuffer(this.#given.shift());
      }
    } finally {
      this.#leave();
    }
  }

  destroy(): void {
    this.#leave();
    for (const piece of [...this.#given.splice(0), ...this.#ready.splice(0)]) returnBuffer(piece);
  }

  /** Ends the exchange unless all has come. */
  #leave(): void {
    if (this.#state === 'coming') this.#abort(new DOMException('nobody reads it', 'AbortError'));
  }

  /** The piece is as long as it will be. */
  #close(piece: Buffer): void {
    this.#ready.push(this.#filled === piece.length ? piece : piece.subarray(0, this.#filled));
    this.#filling = undefined;
    this.#filled = 0;
  }

  #abort(reason: unknown): void {
    this.#end({ error: reason });
    this.#controller?.abort(errorOf(reason));
  }

  #end(state: 'whole' | { error: unknown }): void {
    if (this.#state !== 'coming') return;
    this.#state = state;
    this.#gate?.release(); // for the next on its connection
    this.#gate = NO_GATE;
    clearTimeout(this.#timer);
    this.signal?.removeEventListener('abort', this.#giveUp);
    if (state !== 'whole') this.failed(state.error); // does nothing when there was an answer
    this.#wakeUp();
  }

  #wakeUp(): void {
    clearTimeout(this.#idle);
    this.#idle = undefined;
    this.#wake?.();
    this.#wake = undefined;
  }
}

const NO_GATE: Gate = { hold: () => {}, release: () => {} };

/** undici takes errors only. */
const errorOf = (reason: unknown): Error => (reason instanceof Error ? reason : new Error('given up'));
