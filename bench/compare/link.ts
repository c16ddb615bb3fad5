import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export interface LinkOptions {
  /** Of each direction, shared by all connections. */
  bytesPerSecond: number;
  /** Each way. */
  delayMs: number;
}

export interface Link {
  /** An address that reaches `host:port` over this link. */
  to(host: string): Promise<string>;
  /** Seconds from the first to the last piece of an upload since this was called last. */
  takeUploadSeconds(): number;
  stop(): Promise<void>;
}

/** What one connection may have on its way, as a TCP window: more than bandwidth × round trip, so it is no limit. */
const WINDOW_BYTES = 4 * 2 ** 20;

/** A piece of this size is part of a layer. */
const BULK_BYTES = 32 * 1024;

/** The link is not idle while this process, which shares the cores, is late to read: up to so much is not charged to it. */
const LATE_MS = 50;

/**
 * One direction: bytes leave one after the other, whatever connection they belong to, and arrive later. As at a router,
 * what waits to leave is bounded: by bandwidth × round trip, the usual size of such a buffer, and a piece (64 KiB) of each
 * connection. Whose piece fills it waits in line for the next, as TCP has senders do.
 */
class Direction {
  #freeAt = 0;
  readonly #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  bulk: { first: number; last: number } | undefined;

  constructor(private readonly options: LinkOptions) {}

  /** Carries all that comes from one socket into the other. */
  carry(from: Socket, to: Socket): void {
    let onItsWay = 0;
    let inLine = false;
    let arrival = Promise.resolve();
    const send = (bytes: number, deliver: () => void): void => {
      const now = performance.now();
      this.#freeAt = Math.max(now - LATE_MS, this.#freeAt) + (bytes / this.options.bytesPerSecond) * 1000;
      const dueIn = Math.max(this.#freeAt, now) + this.options.delayMs - now;
      const due = new Promise<void>((resolve) => setTimeout(resolve, dueIn));
      arrival = arrival.then(() => due).then(deliver); // in order, however timers fire
    };
    const resume = (): void => {
      if (onItsWay <= WINDOW_BYTES && !inLine) from.resume();
    };
    from.on('data', (chunk: Buffer) => {
      onItsWay += chunk.length;
      if (chunk.length >= BULK_BYTES)
        this.bulk = { first: this.bulk?.first ?? performance.now(), last: performance.now() };
      send(chunk.length, () => {
        const next = (): void => {
          onItsWay -= chunk.length;
          resume();
        };
        // Loopback takes it at once or soon; what waits there is bounded by the window.
        if (to.destroyed) next();
        else to.write(chunk, next);
      });
      if (onItsWay > WINDOW_BYTES) from.pause();
      if (inLine || this.#overfullMs() <= 0) return;
      inLine = true;
      from.pause();
      this.#waiting.push(() => {
        inLine = false;
        resume();
      });
      this.#letOneIn();
    });
    from.on('end', () => send(0, () => to.end()));
  }

  /** How long the buffer takes to have room again; it holds bandwidth × round trip. */
  #overfullMs(): number {
    return this.#freeAt - performance.now() - 2 * this.options.delayMs;
  }

  /** The first in line as soon as there is room, then the next. */
  #letOneIn(): void {
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        if (this.#overfullMs() <= 0) this.#waiting.shift()?.();
        if (this.#waiting.length > 0) this.#letOneIn();
      },
      Math.max(0, this.#overfullMs()),
    );
  }
}

/** A slow, long link that all connections share, on loopback ports. */
export function startLink(options: LinkOptions): Link {
  const [up, down] = [new Direction(options), new Direction(options)];
  const servers: Server[] = [];
  const open = new Set<Socket>();
  return {
    to: async (host) => {
      const [name = '', port = ''] = host.split(':');
      const server = createServer({ allowHalfOpen: true }, (client) => {
        const far = connect({ port: Number(port), host: name, allowHalfOpen: true });
        for (const [socket, other] of [
          [client, far],
          [far, client],
        ] as const) {
          open.add(socket.setNoDelay());
          socket.on('error', () => other.destroy());
          socket.on('close', () => open.delete(socket));
        }
        up.carry(client, far);
        down.carry(far, client);
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      servers.push(server);
      const address = server.address() as AddressInfo; // a TCP server that listens has one
      return `127.0.0.1:${address.port}`;
    },
    takeUploadSeconds: () => {
      const { first, last } = up.bulk ?? { first: 0, last: 0 };
      up.bulk = undefined;
      return (last - first) / 1000;
    },
    stop: async () => {
      const closed = servers.map((server) => once(server, 'close'));
      for (const server of servers) server.close();
      for (const socket of open) socket.destroy();
      await Promise.all(closed);
    },
  };
}
