import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { forward } from './forward.js';

export interface LimitedRegistry {
  host: string;
  /** From now on every request is answered 429. */
  limit(options: { retryAfterS: number }): void;
  /** From now on every request is answered so. */
  answer(answer: { status: number; body: string }): void;
  /** How many requests were answered 429. */
  limited(): number;
  stop(): Promise<void>;
}

/** A real registry behind a server that can answer in its place. */
export async function startLimited(behind: string): Promise<LimitedRegistry> {
  let instead: { status: number; headers: Record<string, string>; body: string } | undefined;
  let limited = 0;
  const server = createServer((asked, response) => {
    if (instead !== undefined) {
      asked.resume();
      if (instead.status === 429) limited++;
      response.writeHead(instead.status, instead.headers).end(asked.method === 'HEAD' ? '' : instead.body);
      return;
    }
    forward(asked, response, behind);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as AddressInfo; // a TCP server that listens has one
  return {
    host: `127.0.0.1:${address.port}`,
    limit: ({ retryAfterS }) => {
      const body =
        '{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}';
      instead = { status: 429, headers: { 'retry-after': String(retryAfterS) }, body };
    },
    answer: ({ status, body }) => {
      instead = { status, headers: {}, body };
    },
    limited: () => limited,
    stop: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
