import { once } from 'node:events';
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';

/** What a request was, as the server saw it. */
export interface Seen {
  method: string;
  /** With its query. */
  path: string;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

export interface Reply {
  status: number;
  headers?: OutgoingHttpHeaders;
  body?: string | Buffer;
  /** Sends this many zero bytes without a length, as far as the client reads. */
  zeros?: number;
  /** After headers and body: breaks the connection, or says nothing more. */
  end?: 'reset' | 'silence';
}

/** One line of the table. The first rule that fits, and still has uses left, answers. */
export interface Rule {
  /** `GET /v2/a/manifests/1`, without the query. `*` as the method fits every method. */
  on: string;
  reply: Reply | 'reset' | 'silence' | ((seen: Seen) => Reply);
  /** How often it answers; always when absent. */
  times?: number;
  /** Answers before the request's body has come. */
  early?: boolean;
}

export interface HostileRegistry {
  host: string;
  seen: Seen[];
  /** Bytes that {@link Reply.zeros} has put on the wire. */
  sentZeros(): number;
  /** Settles when the first byte of a request's body has come. */
  receiving: Promise<void>;
  /** Settles when a client breaks off a request whose body it had not finished. */
  aborted: Promise<void>;
  stop(): Promise<void>;
}

/** A server on a loopback port that answers by a table, also in ways that no registry should. */
export async function startHostile(rules: (self: string) => Rule[]): Promise<HostileRegistry> {
  const seen: Seen[] = [];
  let zeros = 0;
  let table: (Rule & { left: number })[] = [];
  let onReceiving: () => void = () => {};
  const receiving = new Promise<void>((resolve) => {
    onReceiving = resolve;
  });
  let onAborted: () => void = () => {};
  const aborted = new Promise<void>((resolve) => {
    onAborted = resolve;
  });

  function* zerosOf(size: number): Generator<Buffer> {
    const chunk = Buffer.alloc(64 * 1024);
    for (let left = size; left > 0; left -= chunk.length) {
      zeros += chunk.length;
      yield chunk;
    }
  }

  const send = async (response: ServerResponse, reply: Reply): Promise<void> => {
    response.writeHead(reply.status, reply.headers);
    response.flushHeaders();
    if (reply.body !== undefined)
      await new Promise((resolve) => response.write(reply.body, () => resolve(undefined)));
    if (reply.zeros !== undefined)
      await pipeline(zerosOf(reply.zeros), response, { end: false }).catch(() => {});
    if (reply.end === 'reset') response.socket?.resetAndDestroy();
    else if (reply.end !== 'silence') response.end();
  };

  const server = createServer(async (request, response) => {
    const method = request.method ?? '';
    const path = request.url ?? '';
    const bare = path.split('?', 1)[0] ?? '';
    const rule = table.find(({ on, left }) => left > 0 && (on === `${method} ${bare}` || on === `* ${bare}`));
    if (rule !== undefined) rule.left--;
    const parts: Buffer[] = [];
    const record: Seen = { method, path, headers: request.headers, body: Buffer.alloc(0) };
    seen.push(record);
    request.on('error', () => {});
    response.on('error', () => {});
    request.on('close', () => {
      if (!request.complete) onAborted();
    });
    request.on('data', (chunk: Buffer) => {
      parts.push(chunk);
      onReceiving();
    });
    if (!rule?.early && !request.complete)
      await new Promise((resolve) => request.once('end', resolve).once('close', resolve));
    record.body = Buffer.concat(parts);
    const reply = rule?.reply ?? { status: 404 };
    if (reply === 'reset') request.socket.resetAndDestroy();
    else if (reply !== 'silence') await send(response, typeof reply === 'function' ? reply(record) : reply);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  const host = `127.0.0.1:${port}`;
  table = rules(host).map((rule) => ({ ...rule, left: rule.times ?? Number.POSITIVE_INFINITY }));
  return {
    host,
    seen,
    sentZeros: () => zeros,
    receiving,
    aborted,
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The protocol's form of an error. */
export const errorBody = (code: string, message = 'said the server'): string =>
  JSON.stringify({ errors: [{ code, message, detail: { anything: true } }] });
