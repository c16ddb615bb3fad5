import { randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { AnalysisSession } from './analysis-cache.js';
import { readCommands } from './redis-commands.js';

const MAX_ANALYSIS_BYTES = 256 << 20;
/** For who has not said the password: on loopback every user of the machine can connect. */
const STRANGER = { bytes: 1024, connections: 64, timeoutMs: 10_000 };
/** In Trivy's cache each layer has a key of this kind; the other kind is about one image (0.76.0, `pkg/cache/redis.go`). */
const LAYER_KEY = 'fanal::blob::';

const OK = '+OK\r\n';
const NONE = '$-1\r\n';

export interface AnalysisServer {
  /** For `TRIVY_CACHE_BACKEND`. A secret: whoever has it can say what is in a layer. */
  url: string;
  close(): Promise<void>;
}

/**
 * Serves a session of the analysis cache to one Trivy, as the Redis that it knows as a cache: the three commands that
 * it uses, on loopback, with a password of its own, for as long as the scan takes.
 *
 * Trivy's own ways to share one: its file is locked by a single process at a time, and `trivy server` is a process to
 * look after, with a database of its own choice in it.
 */
export async function serveAnalyses(session: AnalysisSession): Promise<AnalysisServer> {
  const password = randomBytes(32);
  const aboutImage = new Map<string, Buffer>();
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => {}); // Trivy was killed
    converse(socket).catch(() => socket.destroy());
  });
  server.maxConnections = STRANGER.connections;

  async function converse(socket: Socket): Promise<void> {
    let known = false;
    socket.setTimeout(STRANGER.timeoutMs, () => socket.destroy());
    const limit = (): number => (known ? MAX_ANALYSIS_BYTES : STRANGER.bytes);
    for await (const [name = '', key = '', value = Buffer.alloc(0)] of readCommands(socket, limit)) {
      const command = String(name).toUpperCase();
      if (command === 'AUTH') {
        known = isPassword(String(key), password);
        if (!known) break;
        socket.setTimeout(0);
        socket.write(OK);
      } else if (known && command === 'GET') await get(socket, String(key));
      else if (known && command === 'SET') {
        await set(String(key), value);
        socket.write(OK);
      } else socket.write('-ERR unknown command\r\n'); // HELLO and CLIENT, which an old Redis does not know either
    }
    socket.end();
  }

  async function get(socket: Socket, key: string): Promise<void> {
    const value = await (key.startsWith(LAYER_KEY) ? session.get(key) : aboutImage.get(key));
    if (value === undefined) socket.write(NONE);
    else socket.write(Buffer.concat([Buffer.from(`$${value.length}\r\n`), value, Buffer.from('\r\n')]));
  }

  async function set(key: string, value: Buffer): Promise<void> {
    if (key.startsWith(LAYER_KEY)) await session.put(key, value);
    else aboutImage.set(key, value);
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
  return {
    // An answer may take as long as another scan's analysis: the scan's own time limit counts.
    url: `redis://:${password.toString('hex')}@127.0.0.1:${address.port}?read_timeout=-1&protocol=2`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function isPassword(said: string, password: Buffer): boolean {
  const bytes = Buffer.from(said, 'hex');
  return bytes.length === password.length && timingSafeEqual(bytes, password);
}
