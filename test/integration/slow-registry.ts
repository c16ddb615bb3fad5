import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import { onTestFinished } from 'vitest';

export interface HeldRegistry {
  host: string;
  /** Settles when the first of what waits has come. */
  firstUpload: Promise<void>;
  /** Lets everything through from now on. */
  release(): void;
}

/**
 * A registry's front door that keeps blob uploads waiting until it is told to let them through.
 *
 * @param waits a part of the path of what is put; by default any blob
 */
export async function holdUploads(behind: string, waits = '/blobs/uploads/'): Promise<HeldRegistry> {
  let release = (): void => {};
  const open = new Promise<void>((resolve) => {
    release = resolve;
  });
  let begun = (): void => {};
  const firstUpload = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const server: Server = createServer((incoming, answer) => {
    void (async () => {
      if (incoming.method === 'PUT' && incoming.url?.includes(waits)) {
        begun();
        await open;
      }
      const [hostname, port] = behind.split(':');
      // The Host header stays, so that the upload's Location leads back here.
      const onward = request({
        hostname,
        port,
        method: incoming.method,
        path: incoming.url,
        headers: incoming.headers,
      });
      onward.on('response', (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(answer);
      });
      onward.on('error', () => answer.destroy());
      incoming.on('error', () => onward.destroy());
      incoming.pipe(onward);
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    release();
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { host: `127.0.0.1:${address.port}`, firstUpload, release };
}
