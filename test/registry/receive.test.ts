import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type Dispatcher, ProxyAgent } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { PIECE_BYTES } from '../../src/common/buffers.js';
import { Connections } from '../../src/common/network.js';
import { digestOf } from '../../src/registry/digest.js';
import { type ReceiveOptions, receive } from '../../src/registry/receive.js';
import { startConnectProxy } from '../support/connect-proxy.js';
import { createAuthority, TLS_HOST } from '../support/tls.js';

const BODY = randomBytes(9 * 1024 * 1024 + 11);

async function listening(server: Server, host = '127.0.0.1'): Promise<number> {
  server.listen(0, host);
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port; // a TCP server that listens has one
}

function connections(options = {}): Connections {
  const all = new Connections({ inPlace: true, ...options });
  onTestFinished(() => all.close());
  return all;
}

async function get(
  url: string,
  options: { over?: Connections } & Partial<ReceiveOptions> = {},
): ReturnType<typeof receive> {
  const { origin, pathname } = new URL(url);
  const { over = connections(), ...rest } = options;
  return receive(over.to(new URL(url)), {
    origin,
    path: pathname,
    method: 'GET',
    signal: undefined,
    idleMs: 60_000,
    ...rest,
  });
}

/** Reads as the content store does: a piece is looked at until the one after it has come. */
async function read(body: AsyncIterable<Buffer>, pauseMs = 0): Promise<Buffer> {
  const copies: Buffer[] = [];
  let last: Buffer | undefined;
  for await (const piece of body) {
    if (pauseMs > 0) await delay(pauseMs);
    if (last !== undefined) copies.push(Buffer.from(last));
    last = piece;
  }
  return Buffer.concat([...copies, ...(last === undefined ? [] : [last])]);
}

/** `/length` says how long the body is, `/chunks` sends it in chunks of HTTP. */
const serve: RequestListener = (request, response) => {
  if (request.url === '/length') response.setHeader('content-length', BODY.length);
  response.write(BODY.subarray(0, 70_000));
  response.end(BODY.subarray(70_000));
};

describe.each(['/length', '/chunks'])('a body of %s', (path) => {
  it.each([0, 3])('comes whole to a reader that takes %i ms for each piece', async (pauseMs) => {
    const port = await listening(createServer(serve));
    const over = connections();
    for (let time = 0; time < 3; time++) {
      const { body, statusCode } = await get(`http://127.0.0.1:${port}${path}`, { over });
      expect(statusCode).toBe(200);
      expect(digestOf(await read(body, pauseMs))).toBe(digestOf(BODY));
    }
  });

  it('comes whole to many readers at once', async () => {
    const port = await listening(createServer(serve));
    const over = connections();
    const digests = await Promise.all(
      Array.from({ length: 8 }, async (_, at) => {
        const { body } = await get(`http://127.0.0.1:${port}${path}`, { over });
        const bytes = await read(body, at % 2);
        body.destroy(); // its buffers go to the others
        return digestOf(bytes);
      }),
    );
    expect(new Set(digests)).toEqual(new Set([digestOf(BODY)]));
  });

  it('comes whole over TLS, on connections that take up a session again', async () => {
    const authority = await createAuthority();
    const { certificate, key } = await authority.issue();
    const resumed: boolean[] = [];
    const server = createTlsServer({ cert: certificate, key }, serve);
    server.on('secureConnection', (socket) => resumed.push(socket.isSessionReused()));
    const port = await listening(server, TLS_HOST);
    const over = connections({ ca: [authority.certificate] });
    for (let time = 0; time < 2; time++) {
      const { body } = await get(`https://${TLS_HOST}:${port}${path}`, {
        over,
        headers: { connection: 'close' },
      });
      expect(digestOf(await read(body, 1))).toBe(digestOf(BODY));
    }
    expect(resumed).toEqual([false, true]);
  });
});

/** Answers each connection by itself. */
async function raw(answer: (socket: Socket) => void): Promise<string> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => answer(socket.setNoDelay()));
    onTestFinished(() => void socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`; // a TCP server that listens has one
}

it('a head that comes in many parts is read as it was sent', async () => {
  const names = Array.from({ length: 10 }, (_, at) => `x-header-${at}`);
  const url = await raw(async (socket) => {
    socket.write('HTTP/1.1 200 OK\r\n');
    for (const name of names) {
      await delay(5);
      socket.write(`${name}: ${name.repeat(60)}`);
      await delay(5);
      socket.write(`${name}-end\r\n`);
    }
    socket.write(`content-length: ${BODY.length}\r\n\r\n`);
    socket.write(BODY);
  });
  const { headers, body } = await get(url);
  for (const name of names) expect(headers[name]).toBe(`${name.repeat(60)}${name}-end`);
  expect(digestOf(await read(body))).toBe(digestOf(BODY));
});

const FRAMINGS = ['content-length: LENGTH', 'x-framing: the end of the connection'];

it.each(FRAMINGS.flatMap((framing) => [true, false].map((inPlace) => ({ framing, inPlace }))))(
  'a body whose server ends the connection comes whole to a slow reader: $framing, in place: $inPlace',
  async ({ framing, inPlace }) => {
    const url = await raw((socket) => {
      const length = framing.replace('LENGTH', String(BODY.length));
      socket.write(`HTTP/1.1 200 OK\r\nconnection: close\r\n${length}\r\n\r\n`);
      socket.end(BODY);
    });
    const { body } = await get(url, { over: connections({ inPlace }) });
    await delay(50); // all that fits on the way has come, and nobody has asked for it
    expect(digestOf(await read(body, 5))).toBe(digestOf(BODY));
  },
);

it('what crawls in is handed on each second', async () => {
  const url = await raw(async (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\n`);
    while (!socket.destroyed) {
      socket.write(BODY.subarray(0, 1000));
      await delay(50);
    }
  });
  const { body } = await get(url);
  for await (const piece of body) {
    expect(piece.length).toBeLessThan(100_000);
    expect(piece).toEqual(Buffer.concat(Array(piece.length / 1000).fill(BODY.subarray(0, 1000))));
    break;
  }
});

it('a reader that takes nothing slows the server down', async () => {
  let sent = 0;
  const url = await raw(async (socket) => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n');
    const block = Buffer.alloc(1_000_000);
    for (; sent < 500 && !socket.destroyed; sent++) if (!socket.write(block)) await once(socket, 'drain');
  });
  const { body } = await get(url);
  const before = process.memoryUsage().rss;
  let stuckAt = 0;
  const stuckSince = async (): Promise<boolean> => {
    const before = sent;
    await delay(300);
    stuckAt = sent;
    return before > 0 && before === sent;
  };
  await expect.poll(stuckSince).toBe(true);
  expect(stuckAt).toBeLessThan(100); // what the system's own buffers take
  expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
  let read = 0;
  for await (const piece of body) {
    read += piece.length;
    if (read > 200_000_000) break;
  }
  expect(sent).toBeGreaterThan(stuckAt);
});

it('a reader that takes long for a piece does not use up the time that the server has for the next', async () => {
  const url = await raw((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${BODY.length}\r\n\r\n`);
    socket.write(BODY);
  });
  const { body } = await get(url, { idleMs: 50 });
  expect((await read(body, 200)).equals(BODY)).toBe(true);
});

it('what comes at once when the reader wants more does not leave its time limit running', async () => {
  // Behind a proxy the gate is undici's parser, which hands on what it held before `resume` returns.
  let held: Buffer[] = [];
  const last = new AbortController();
  const dispatcher = {
    dispatch(_: unknown, handler: Dispatcher.DispatchHandler) {
      const controller = {
        pause: () => {},
        resume: () => {
          for (const piece of held.splice(0)) handler.onResponseData?.(controller, piece);
        },
        abort: (reason: Error) => handler.onResponseError?.(controller, reason),
      } as Dispatcher.DispatchController; // all that is used of it
      const length = String(PIECE_BYTES + 1);
      handler.onRequestStart?.(controller, {});
      handler.onResponseStart?.(controller, 200, { 'content-length': length }, 'OK');
      last.signal.addEventListener('abort', () => {
        handler.onResponseData?.(controller, Buffer.from('z'));
        handler.onResponseEnd?.(controller, {});
      });
      return true;
    },
  } as unknown as Dispatcher; // likewise
  held = [Buffer.alloc(PIECE_BYTES, 'a')];
  const { body } = await receive(dispatcher, {
    ...{ origin: 'http://registry.example', path: '/', method: 'GET', idleMs: 100 },
    signal: undefined,
  });
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > PIECE_BYTES) continue;
    await delay(300);
    last.abort();
  }
  expect(size).toBe(PIECE_BYTES + 1);
});

it('a body says whether it waits for its reader: behind a proxy not where the server ends the connection', async () => {
  const answers = (connection: string) =>
    raw((socket) => {
      const head = `HTTP/1.1 200 OK\r\nconnection: ${connection}\r\ncontent-length: 2\r\n\r\n`;
      socket.write(`${head}a`); // the rest never comes
    });
  for (const connection of ['keep-alive', 'close']) {
    const { port } = new URL(await answers(connection));
    const proxy = await startConnectProxy(new Map([['registry.example:80', Number(port)]]));
    onTestFinished(() => proxy.stop());
    const over = new ProxyAgent({ uri: proxy.url, proxyTunnel: true });
    onTestFinished(() => over.destroy());
    const stop = new AbortController();
    const { body } = await receive(over, {
      ...{ origin: 'http://registry.example', path: '/', method: 'GET', idleMs: 60_000 },
      signal: stop.signal,
    });
    expect(body.unbounded).toBe(connection === 'close');
    stop.abort();
  }
  const { body } = await get(await answers('close'));
  expect(body.unbounded).toBe(false);
  body.destroy();
});

describe('an exchange ends', () => {
  const stuck = (socket: Socket): void => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${BODY.length}\r\n\r\n`);
    socket.write(BODY.subarray(0, 1000));
  };

  it('with the reason of its signal: before, while it waits, and in the middle of a body', async () => {
    const reason = new Error('stopped');
    const url = await raw(() => {});
    await expect(get(url, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const stop = new AbortController();
    const waiting = get(url, { signal: stop.signal });
    setImmediate(() => stop.abort(reason));
    await expect(waiting).rejects.toBe(reason);
    const later = new AbortController();
    const { body } = await get(await raw(stuck), { signal: later.signal });
    setImmediate(() => later.abort(reason));
    await expect(read(body)).rejects.toBe(reason);
  });

  it('with a time-out when the whole of it takes too long', async () => {
    const timeout = { name: 'TimeoutError' };
    await expect(get(await raw(() => {}), { wholeMs: 50 })).rejects.toMatchObject(timeout);
    const url = await raw(stuck);
    await expect(get(url, { wholeMs: 200 }).then(({ body }) => read(body))).rejects.toMatchObject(timeout);
  });

  it('when nobody reads on, and its connection with it', async () => {
    let ended = (): void => {};
    const closed = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const url = await raw((socket) => {
      socket.on('close', ended);
      stuck(socket);
    });
    const { body } = await get(url);
    body.destroy();
    await closed;
    await expect(read(body)).rejects.toMatchObject({ name: 'AbortError' });
  });
});
