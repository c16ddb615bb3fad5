import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface CountingProxy {
  /** Stands for the server behind it. */
  host: string;
  /** Bytes on the wire at the server's side, headers included. */
  toServer(): number;
  fromServer(): number;
  /** Settles when so many bytes have passed in a direction, since the start. */
  passed(direction: 'toServer' | 'fromServer', bytes: number): Promise<void>;
  stop(): Promise<void>;
}

/** A TCP proxy on a loopback port that counts. When one side goes, it lets the other know at once. */
export async function startCountingProxy(target: string): Promise<CountingProxy> {
  const [host = '', port = ''] = target.split(':');
  const counts = { toServer: 0, fromServer: 0 };
  const waiting: { direction: keyof typeof counts; bytes: number; resolve: () => void }[] = [];
  const open = new Set<Socket>();
  const count = (direction: keyof typeof counts, bytes: number): void => {
    counts[direction] += bytes;
    for (const one of waiting)
      if (one.direction === direction && counts[direction] >= one.bytes) one.resolve();
  };
  const server = createServer((client) => {
    const upstream = connect(Number(port), host);
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(socket);
      socket.setNoDelay();
      socket.on('error', () => {});
      socket.on('close', () => {
        open.delete(socket);
        other.destroy();
      });
    }
    client.on('data', (chunk) => count('toServer', chunk.length));
    upstream.on('data', (chunk) => count('fromServer', chunk.length));
    client.pipe(upstream);
    upstream.pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as AddressInfo; // a TCP server that listens has one
  return {
    host: `127.0.0.1:${address.port}`,
    toServer: () => counts.toServer,
    fromServer: () => counts.fromServer,
    passed: (direction, bytes) =>
      new Promise((resolve) => {
        waiting.push({ direction, bytes, resolve });
        count(direction, 0);
      }),
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
