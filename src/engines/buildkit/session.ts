import { createHash, randomUUID } from 'node:crypto';
import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { messageOf } from '../../common/errors.js';
import type { DockerClient } from './docker-client.js';
import { type ContextFile, sendFiles } from './file-sync.js';
import { grpcFrame } from './grpc.js';
import { numberField } from './protobuf.js';

const HEALTH = '/grpc.health.v1.Health/Check';
const DIFF_COPY = '/moby.filesync.v1.FileSync/DiffCopy';
/** `HealthCheckResponse`, of status 1: it serves. */
const SERVING = numberField(1, 1);

/** What a build is given, by the names under which BuildKit's Dockerfile frontend asks for it. */
export type SessionFiles = Readonly<Record<'context' | 'dockerfile', readonly ContextFile[]>>;

/**
 * Runs a build with a session: a connection on which the engine asks us for files, as it asks Docker's own client. It is
 * how every engine takes a context; one sent as a tar is not taken where containerd keeps the images (moby 47717).
 *
 * @throws what `build` throws; FactoryErrors of the engine
 */
export async function withSession<T>(
  client: DockerClient,
  files: SessionFiles,
  signal: AbortSignal,
  build: (sessionId: string) => Promise<T>,
): Promise<T> {
  const id = randomUUID();
  const connection = await client.upgrade('/session', signal, {
    'X-Docker-Expose-Session-Uuid': id,
    'X-Docker-Expose-Session-Name': 'image-factory',
    // The engine keeps what it was sent under this key, and later asks only for what looks changed: with times of 0 that
    // would miss much, so other files have another key.
    'X-Docker-Expose-Session-Sharedkey': keyOf(files),
    'X-Docker-Expose-Session-Grpc-Method': DIFF_COPY,
  });
  const session = serve(connection, files);
  try {
    return await build(id);
  } finally {
    session.destroy();
    connection.destroy();
  }
}

function serve(connection: Duplex, files: SessionFiles): ServerHttp2Session {
  // No server: one would take a TLS connection without ALPN for HTTP/1.
  const session = performServerHandshake(connection);
  for (const one of [connection, session]) one.on('error', () => {}); // the build's own answer tells
  session.on('stream', (stream, headers) => {
    stream.on('error', () => {}); // a build that was cancelled
    void answer(stream, headers[':path'], headers['dir-name'], files);
  });
  return session;
}

async function answer(
  stream: ServerHttp2Stream,
  path: string | undefined,
  name: string | string[] | undefined,
  files: SessionFiles,
): Promise<void> {
  let status = '0';
  let message = '';
  stream.on('wantTrailers', () =>
    stream.sendTrailers({ 'grpc-status': status, 'grpc-message': encodeURIComponent(message) }),
  );
  try {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    if (path === HEALTH) stream.write(grpcFrame(SERVING));
    else if (path === DIFF_COPY && (name === 'context' || name === 'dockerfile'))
      await sendFiles(stream, files[name]);
    else [status, message] = ['12', 'only files are served here']; // unimplemented
  } catch (error) {
    [status, message] = ['13', messageOf(error)]; // internal
  }
  if (!stream.destroyed) stream.end();
}

function keyOf(files: SessionFiles): string {
  const hash = createHash('sha256');
  for (const [name, list] of Object.entries(files))
    for (const { path, executable, content } of list)
      hash.update(JSON.stringify([name, path, executable === true, content.length])).update(content);
  return hash.digest('hex');
}
