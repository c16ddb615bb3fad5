import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { Agent, buildConnector, Client, type Dispatcher, Pool } from 'undici';

/** Bytes from a socket come in pieces of at most this size. Fewer, larger pieces cost less (measured up to here). */
const READ_BYTES = 256 * 1024;

/** What a connection begins with: most bring heads of answers only. */
const FIRST_READ_BYTES = 16 * 1024;

/** More than the head of an answer may have: undici allows 16 KiB of names and values, and interim answers before it. */
const HEAD_BYTES = 64 * 1024;

/** TLS sessions that are kept to be taken up again. */
const MAX_SESSIONS = 100;

/** Of the connection that an answer comes from. */
export interface Gate {
  /** Nothing more is read after the next piece, until {@link release}. */
  hold(): void;
  release(): void;
}

/** To be put into a request's options by whoever wants to slow its answer down. */
export interface InPlaceOptions extends Dispatcher.DispatchOptions {
  /** Called before the request is sent, unless it goes through a proxy. */
  onGate(gate: Gate): void;
}

/**
 * Makes connections that read into buffers of their own, again and again. Node makes a buffer for each 64 KiB that come,
 * and those count as memory from outside: for 688 MB that were 11,000 buffers and a fifth of all CPU time in V8's garbage
 * collector (measured).
 *
 * What such a connection brings is overwritten soon: it is only for handlers that have copied what they were given when
 * `onResponseData` returns (`receive.ts`), not for undici's `request` or `fetch`. They slow it down by its {@link Gate}:
 * undici 7 ends the process when a server closes a connection whose parser is paused (nodejs/undici#5360).
 */
export function inPlaceAgent(options: Agent.Options & { connect: buildConnector.BuildOptions }): Agent {
  const sessions = new Map<string, Buffer>();
  return new Agent({
    ...options,
    factory: (origin: string | URL, poolOptions: Pool.Options) =>
      new Pool(origin, {
        ...poolOptions,
        factory: (own: URL, clientOptions: Client.Options) =>
          new InPlaceClient(own, clientOptions, options.connect, sessions),
      }),
  });
}

/** One connection, and its successors. */
class InPlaceClient extends Client {
  readonly #connection: { reads: Reads | undefined };

  constructor(
    origin: URL,
    options: Client.Options,
    connect: buildConnector.BuildOptions,
    sessions: Map<string, Buffer>,
  ) {
    const connection: { reads: Reads | undefined } = { reads: undefined };
    const connector: buildConnector.connector = (target, done) => {
      const reads = new Reads();
      const session = sessions.get(origin.origin);
      const dial = buildConnector({
        ...connect,
        ...(session === undefined ? {} : { session }),
        onread: { buffer: reads.next, callback: reads.take },
      });
      dial(target, (...[error, socket]) => {
        if (error !== null) {
          done(error, null);
          return;
        }
        socket.on('session', (latest: Buffer) => {
          if (sessions.size >= MAX_SESSIONS) sessions.clear();
          sessions.set(origin.origin, latest);
        });
        reads.begin(socket);
        connection.reads = reads;
        done(null, socket);
      });
    };
    super(origin, { ...options, connect: connector });
    this.#connection = connection;
  }

  override dispatch(
    options: Dispatcher.DispatchOptions & Partial<InPlaceOptions>,
    handler: Dispatcher.DispatchHandler,
  ): boolean {
    const connection = this.#connection;
    options.onGate?.({
      hold: () => connection.reads?.hold(),
      release: () => connection.reads?.release(),
    });
    return super.dispatch(options, handler);
  }
}

/**
 * What a connection reads into: two buffers that take turns, so that what undici puts back of one piece (when it stops in
 * the middle of it) outlives the next.
 */
class Reads {
  #socket: Socket | undefined;
  #buffer: Buffer = Buffer.allocUnsafe(FIRST_READ_BYTES);
  /** The one that has its turn next. */
  #other: Buffer | undefined;
  /** How much had been sent when the answer that is coming began, and how much of it has come. */
  #sent = 0;
  #came = 0;
  #held = false;

  /** Its socket is connected, and nothing was read yet. */
  begin(socket: Socket): void {
    this.#socket = socket;
    // Both start reading from the system, `read` also where it takes what is there already.
    const [start, read] = [socket._read.bind(socket), socket.read.bind(socket)];
    socket._read = (size) => {
      if (!this.#held) start(size);
    };
    socket.read = (size) => (this.#held ? Duplex.prototype.read.call(socket, size) : read(size));
  }

  hold(): void {
    this.#held = true;
  }

  release(): void {
    if (!this.#held) return;
    this.#held = false;
    if (this.#socket?.destroyed === false) this.#socket.read(0);
  }

  /** Node asks for it before the first read and after each. */
  readonly next = (): Buffer => this.#buffer;

  /** Hands a piece on. @returns whether more may be read before undici asks for it */
  readonly take = (length: number, buffer: Uint8Array): boolean => {
    const socket = this.#socket;
    if (socket === undefined) return false; // nothing is read before it is connected
    if (socket.bytesWritten !== this.#sent) {
      this.#sent = socket.bytesWritten;
      this.#came = 0;
    }
    this.#came += length;
    const piece = Buffer.from(buffer.buffer, buffer.byteOffset, length);
    const waiting = socket.readableLength > 0;
    // undici keeps parts of a head as they are until all of it has come.
    if (waiting || this.#came < HEAD_BYTES) {
      socket.push(Buffer.from(piece));
      return !waiting && !this.#held;
    }
    socket.push(piece);
    const used = this.#buffer;
    this.#buffer = this.#other ?? Buffer.allocUnsafeSlow(READ_BYTES);
    this.#other = used.length < READ_BYTES ? undefined : used;
    return false;
  };
}
