import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { collect } from '../../src/common/streams.js';

const MAX_BODY_BYTES = 64 << 20;

/** A request as it came. Bodies of JSON are read; others pass through. */
export interface Seen {
  method: string;
  /** Without the query. */
  path: string;
  /** Path and query. */
  url: string;
  /** Empty unless it is JSON. */
  body: string;
  /** Milliseconds, monotonic. */
  at: number;
  /**
   * Waits until its connection or its answer has ended. What is left of its body is dropped: a connection with unread bytes
   * does not tell that the other side has died (Node closes it after five minutes).
   */
  gone(): Promise<unknown>;
}

export type How =
  | { kind: 'answer'; status: number; headers?: Record<string, string>; body?: string }
  /** The connection is reset. */
  | { kind: 'reset' }
  /** No answer, and the connection stays open. */
  | { kind: 'hang' }
  /** Headers and half of the body, then the connection ends; an answer without a body is lost whole. */
  | { kind: 'cut' }
  /** Something happens elsewhere while the request waits; then it goes on. */
  | { kind: 'meanwhile'; act: (seen: Seen) => Promise<void> };

/** What goes wrong with requests of one kind. */
export interface Fault {
  method: string;
  /** Of path and query. */
  url: RegExp;
  /** Requests at another time go on. */
  only?: () => boolean;
  /** How often; once when absent. */
  times?: number;
  /** The server behind carries it out first. */
  after?: boolean;
  how: How;
}

export interface FaultyProxy {
  host: string;
  /** Every request, in order. */
  seen: readonly Seen[];
  /** One request suffers one fault: the first in the order they were given that matches. */
  inject(...faults: Fault[]): void;
  /** Faults that no request met (completely). */
  left(): Fault[];
  /** Waits for a request, while `act` happens; then it goes on. */
  meet(fault: Omit<Fault, 'how'>, act: (seen: Seen) => Promise<void>): Promise<void>;
  /** Looks at every request before anything happens to it. */
  watch(look: (seen: Seen) => Promise<void>): void;
  stop(): Promise<void>;
}

interface Armed {
  fault: Fault;
  left: number;
}

/** A front door that behaves badly as it is told to. The Host header stays, so that what is behind names this door. */
export async function startFaultyProxy(behind: string): Promise<FaultyProxy> {
  const [hostname, port] = behind.split(':');
  const seen: Seen[] = [];
  const armed: Armed[] = [];
  const watchers: ((seen: Seen) => Promise<void>)[] = [];

  const onward = (
    incoming: IncomingMessage,
    body: Buffer | undefined,
    answer: ServerResponse,
  ): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const sent = request({
        hostname,
        port,
        method: incoming.method,
        path: incoming.url,
        headers: incoming.headers,
        agent: false, // a kept connection may have died meanwhile: a fault that nobody asked for
      });
      sent.on('response', resolve).on('error', reject);
      answer.on('close', () => {
        if (!answer.writableFinished) sent.destroy();
      });
      if (body === undefined) incoming.pipe(sent);
      else sent.end(body);
    });

  const handle = async (incoming: IncomingMessage, answer: ServerResponse): Promise<void> => {
    const gone = once(answer, 'close');
    const json = incoming.headers['content-type']?.startsWith('application/json') === true;
    const body = json ? await collect(incoming, MAX_BODY_BYTES) : undefined;
    const url = incoming.url ?? '';
    const one: Seen = {
      method: incoming.method ?? '',
      path: url.replace(/\?.*$/, ''),
      url,
      body: body?.toString('utf8') ?? '',
      at: performance.now(),
      gone: () => {
        incoming.resume();
        return gone;
      },
    };
    seen.push(one);
    for (const look of watchers) await look(one);
    const hit = armed.find(
      ({ fault, left }) =>
        left > 0 && fault.method === one.method && fault.url.test(url) && (fault.only?.() ?? true),
    );
    if (hit !== undefined) hit.left -= 1;
    const { how, after = how?.kind === 'cut' } = hit?.fault ?? {};
    if (how !== undefined && !after && (await suffer(how, one, incoming, answer))) return;
    if (answer.destroyed) return; // whoever asked has died: it never left their machine
    const good = await onward(incoming, body, answer);
    if (how !== undefined && after) {
      if (how.kind === 'cut') return cut(good, answer);
      if (await suffer(how, one, incoming, answer)) {
        good.destroy();
        return;
      }
    }
    if (answer.destroyed) return;
    answer.writeHead(good.statusCode ?? 502, good.headers);
    good.on('error', () => answer.destroy());
    good.pipe(answer);
  };

  const server = createServer((incoming, answer) => {
    incoming.on('error', () => {});
    handle(incoming, answer).catch(() => answer.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  const inject = (...faults: Fault[]): void => {
    armed.push(...faults.map((fault) => ({ fault, left: fault.times ?? 1 })));
  };
  return {
    host: `127.0.0.1:${address.port}`,
    seen,
    inject,
    left: () => armed.filter(({ left }) => left > 0).map(({ fault }) => fault),
    meet: (fault, act) =>
      new Promise((resolve, reject) => {
        const meanwhile = (one: Seen): Promise<void> =>
          act(one).then(resolve, (error: unknown) => reject(error));
        inject({ ...fault, how: { kind: 'meanwhile', act: meanwhile } });
      }),
    watch: (look) => {
      watchers.push(look);
    },
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** @returns whether that was all that happens to the request. */
async function suffer(
  how: How,
  seen: Seen,
  incoming: IncomingMessage,
  answer: ServerResponse,
): Promise<boolean> {
  switch (how.kind) {
    case 'answer':
      incoming.resume();
      answer.writeHead(how.status, { 'content-type': 'text/html', ...how.headers }).end(how.body ?? '');
      return true;
    case 'reset':
      answer.socket?.resetAndDestroy();
      return true;
    case 'hang':
      return true;
    case 'meanwhile':
      await how.act(seen);
      return false;
    case 'cut':
      return false;
  }
}

async function cut(good: IncomingMessage, answer: ServerResponse): Promise<void> {
  const whole = await collect(good, MAX_BODY_BYTES);
  if (whole.length < 2) {
    answer.destroy();
    return;
  }
  answer.writeHead(good.statusCode ?? 502, { ...good.headers, 'content-length': whole.length });
  answer.write(whole.subarray(0, whole.length / 2), () => answer.destroy());
}
