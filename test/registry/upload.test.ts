import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { Readable } from 'node:stream';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { RegistryClientOptions } from '../../src/registry/client.js';
import { RegistryError } from '../../src/registry/errors.js';
import { parseReference } from '../../src/registry/reference.js';
import { errorBody, type Reply, type Rule } from '../support/hostile-registry.js';
import { blobOf, clientFor, hostile } from './kit.js';

const BYTES = 'what the layer holds';
const BLOB = blobOf(BYTES);
const UPLOADS = '/v2/a/b/blobs/uploads/';
const HEAD = `HEAD /v2/a/b/blobs/${BLOB.digest}`;
const OTHER = `sha256:${'0'.repeat(64)}`;
const repositoryAt = (host: string) => parseReference(`${host}/a/b`);
const open = (): Readable => Readable.from([Buffer.from(BYTES)], { objectMode: false });

const session = (location: string): Reply => ({ status: 202, headers: { location } });
/** A registry that takes the blob; what is named first in the table goes before. */
const taking = (...before: Rule[]): Rule[] => [
  ...before,
  { on: `POST ${UPLOADS}`, reply: session('s/1?_state=a%2Fb%20c') },
  { on: `PUT ${UPLOADS}s/1`, reply: { status: 201, headers: { 'docker-content-digest': BLOB.digest } } },
];
const methods = (seen: { method: string }[]): string => seen.map(({ method }) => method).join(' ');

it('an upload goes to the relative Location as it was given, with its length', async () => {
  const server = await hostile(taking());
  const sent: number[] = [];
  const result = await clientFor().ensureBlob(repositoryAt(server.host), BLOB, open, {
    onBytes: (bytes) => sent.push(bytes),
  });
  expect(result).toEqual({ how: 'uploaded' });
  const put = server.seen.at(-1);
  expect(put?.path).toBe(`${UPLOADS}s/1?_state=a%2Fb%20c&digest=${encodeURIComponent(BLOB.digest)}`);
  expect(put?.headers).toMatchObject({ 'content-length': String(BYTES.length) });
  expect(put?.headers['transfer-encoding']).toBeUndefined();
  expect(put?.body.toString()).toBe(BYTES);
  expect(sent.at(-1)).toBe(BYTES.length);
});

it('a blob that is there is not sent, and not asked for twice', async () => {
  const server = await hostile([
    { on: HEAD, reply: { status: 200, headers: { 'content-length': BYTES.length } } },
  ]);
  const client = clientFor();
  const repository = repositoryAt(server.host);
  const ensure = () => client.ensureBlob(repository, BLOB, open, {});
  expect(await Promise.all([ensure(), ensure()])).toEqual([{ how: 'present' }, { how: 'present' }]);
  await ensure();
  // What a mount is answered with says nothing here, and from then on this host is asked.
  expect(methods(server.seen)).toBe('POST HEAD');
  client.forget(repository);
  await ensure();
  expect(methods(server.seen)).toBe('POST HEAD HEAD');
});

it('a small blob is asked for and its upload opened by one request, a mount of the repository from itself', async () => {
  const server = await hostile(taking());
  const repository = repositoryAt(server.host);
  expect(await clientFor().ensureBlob(repository, BLOB, open, {})).toEqual({ how: 'uploaded' });
  expect(methods(server.seen)).toBe('POST PUT');
  const { searchParams } = new URL(server.seen[0]?.path ?? '', 'http://x');
  expect([searchParams.get('mount'), searchParams.get('from')]).toEqual([BLOB.digest, 'a/b']);
  const having = await hostile([{ on: `POST ${UPLOADS}`, reply: { status: 201 } }]);
  expect(await clientFor().ensureBlob(repositoryAt(having.host), BLOB, open, {})).toEqual({ how: 'present' });
  expect(methods(having.seen)).toBe('POST');
});

it('a blob of the same host is mounted by one request, with the right to both repositories', async () => {
  const server = await hostile((self) => [
    { on: 'GET /token', reply: { status: 200, body: '{"token":"t"}' } },
    {
      on: `POST ${UPLOADS}`,
      reply: ({ headers }) =>
        headers.authorization
          ? { status: 201 }
          : { status: 401, headers: { 'www-authenticate': `Bearer realm="http://${self}/token"` } },
    },
  ]);
  const mountFrom = parseReference(`${server.host}/c/d`);
  const result = await clientFor().ensureBlob(repositoryAt(server.host), BLOB, open, { mountFrom });
  expect(result).toEqual({ how: 'mounted' });
  expect(server.seen[1]?.path).toBe(
    '/token?scope=repository%3Aa%2Fb%3Apull%2Cpush&scope=repository%3Ac%2Fd%3Apull',
  );
  expect(new URL(server.seen[2]?.path ?? '', 'http://x').searchParams.get('from')).toBe('c/d');
});

it('a hundred callers of one blob wait for one upload, without a warning', async () => {
  const warned = vi.fn();
  process.on('warning', warned);
  onTestFinished(() => void process.off('warning', warned));
  const server = await hostile(taking());
  const client = clientFor();
  const { signal } = new AbortController();
  const all = Array.from({ length: 100 }, () =>
    client.ensureBlob(repositoryAt(server.host), BLOB, open, { signal }),
  );
  const results = (await Promise.all(all)).map(({ how }) => how);
  expect(results.filter((how) => how === 'uploaded')).toHaveLength(1);
  expect(methods(server.seen)).toBe('POST PUT');
  expect(warned).not.toHaveBeenCalled();
});

it('a mount that is answered with a session goes on with that session', async () => {
  const server = await hostile(taking());
  const mountFrom = parseReference(`${server.host}/c/d`);
  const result = await clientFor().ensureBlob(repositoryAt(server.host), BLOB, open, { mountFrom });
  expect(result).toEqual({ how: 'uploaded' });
  expect(methods(server.seen)).toBe('POST HEAD PUT');
});

it('a mount that is refused is followed by an upload', async () => {
  const server = await hostile(taking({ on: `POST ${UPLOADS}`, times: 1, reply: { status: 403 } }));
  const mountFrom = parseReference(`${server.host}/c/d`);
  expect(await clientFor().ensureBlob(repositoryAt(server.host), BLOB, open, { mountFrom })).toEqual({
    how: 'uploaded',
  });
});

it('after a doubt, the registry is asked before a mount', async () => {
  const server = await hostile([
    { on: HEAD, reply: { status: 200, headers: { 'content-length': BYTES.length } } },
    { on: `POST ${UPLOADS}`, reply: { status: 201 } },
  ]);
  const client = clientFor();
  const mountFrom = parseReference(`${server.host}/c/d`);
  const ensure = () => client.ensureBlob(repositoryAt(server.host), BLOB, open, { mountFrom });
  await ensure();
  client.forget(repositoryAt(server.host));
  await ensure();
  expect(methods(server.seen)).toBe('POST HEAD');
});

it.each<[string, Reply]>([
  ['login', { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } }],
  ['session', { status: 404, body: errorBody('BLOB_UPLOAD_UNKNOWN') }],
])('a %s that ends during the upload is renewed, and a fresh stream is sent', async (_, reply) => {
  const server = await hostile(taking({ on: `PUT ${UPLOADS}s/1`, times: 1, reply }));
  let opened = 0;
  const fresh = (): Readable => {
    opened++;
    return open();
  };
  const login = { forHost: async () => ({ kind: 'password', user: 'u', password: 'p' }) as const };
  const client = clientFor({ credentials: login });
  expect(await client.ensureBlob(repositoryAt(server.host), BLOB, fresh, {})).toEqual({ how: 'uploaded' });
  expect([opened, methods(server.seen)]).toEqual([2, 'POST PUT POST PUT']);
});

it.each<[string, Rule[], string, RegistryClientOptions['timeouts']?]>([
  ['opens no session', [{ on: `POST ${UPLOADS}`, reply: { status: 202 } }], 'RegistryBadAnswer'],
  ['forbids it', [{ on: `POST ${UPLOADS}`, reply: { status: 403 } }], 'RegistryDenied'],
  [
    'knows no such place',
    [{ on: `POST ${UPLOADS}`, reply: { status: 404, body: errorBody('NAME_UNKNOWN') } }],
    'ImageNotFound',
  ],
  [
    'redirects it',
    [{ on: `POST ${UPLOADS}`, reply: { status: 307, headers: { location: '/x' } } }],
    'RegistryRejected',
  ],
  [
    'stores something else',
    [{ on: `PUT ${UPLOADS}s/1`, reply: { status: 201, headers: { 'docker-content-digest': OTHER } } }],
    'TransferCorrupt',
  ],
  [
    'found another digest',
    [{ on: `PUT ${UPLOADS}s/1`, reply: { status: 400, body: errorBody('DIGEST_INVALID') } }],
    'TransferCorrupt',
  ],
  ['breaks off', [{ on: `PUT ${UPLOADS}s/1`, reply: 'reset' }], 'RegistryUnavailable'],
  ['never ends it', [{ on: `PUT ${UPLOADS}s/1`, reply: 'silence' }], 'RegistryUnavailable', { commit: 500 }],
])('a registry that %s fails the upload', async (_, before, type, timeouts = {}) => {
  const server = await hostile(taking(...before));
  const client = clientFor({ timeouts });
  await expect(client.ensureBlob(repositoryAt(server.host), BLOB, open, {})).rejects.toMatchObject({
    type,
    message: expect.stringContaining(server.host),
  });
});

it('a large upload that is refused before it was read is sent again with the login', async () => {
  const size = 64 * 1024 * 1024;
  const zeros = Buffer.alloc(1024 * 1024);
  const large = { ...blobOf(''), size };
  const refusal: Reply = { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } };
  const server = await hostile([
    { on: `PUT ${UPLOADS}s/1`, times: 1, early: true, reply: refusal },
    { on: `PUT ${UPLOADS}s/1`, reply: { status: 201 } },
    { on: `POST ${UPLOADS}`, reply: session('s/1') },
  ]);
  const login = { forHost: async () => ({ kind: 'password', user: 'u', password: 'p' }) as const };
  const stream = (part = { from: 0, length: size }): Readable =>
    Readable.from(
      Array.from({ length: part.length / zeros.length }, () => zeros),
      { objectMode: false },
    );
  const client = clientFor({ credentials: login });
  expect(await client.ensureBlob(repositoryAt(server.host), large, stream, {})).toEqual({ how: 'uploaded' });
  expect(server.seen.at(-1)).toMatchObject({ headers: { authorization: expect.stringMatching(/^Basic /) } });
});

it('what fails on our side comes out as it is', async () => {
  const server = await hostile(taking());
  const failing = (): Readable =>
    new Readable({
      read() {
        this.destroy(new Error('the disk is gone'));
      },
    });
  const client = clientFor();
  const repository = repositoryAt(server.host);
  await expect(client.ensureBlob(repository, BLOB, failing, {})).rejects.toThrow('the disk is gone');
  const short = (): Readable => Readable.from([Buffer.from('what')], { objectMode: false });
  await expect(client.ensureBlob(repository, BLOB, short, {})).rejects.toMatchObject({
    type: 'TransferCorrupt',
  });
  expect(await client.ensureBlob(repository, BLOB, open, {})).toEqual({ how: 'uploaded' });
});

it('an upload that its registry does not take ends at the time limit', async () => {
  const server = await hostile(taking());
  const deaf = createServer((socket) => {
    socket.pause();
    socket.on('error', () => {});
  }).listen(0, '127.0.0.1');
  await once(deaf, 'listening');
  onTestFinished(() => void deaf.close());
  const { port } = deaf.address() as AddressInfo; // a TCP server that listens has one
  const elsewhere = await hostile([{ on: `POST ${UPLOADS}`, reply: session(`http://127.0.0.1:${port}/s`) }]);
  const large = { ...BLOB, size: 19 * 2 ** 20 }; // more than the system takes on its own
  const bytes = (): Readable => Readable.from(Array.from({ length: 19 }, () => Buffer.alloc(2 ** 20)));
  const client = clientFor({ timeouts: { idle: 200 } });
  await expect(client.ensureBlob(repositoryAt(elsewhere.host), large, bytes, {})).rejects.toMatchObject({
    type: 'RegistryUnavailable',
    message: expect.stringContaining('took no byte'),
  });
  expect(server.seen).toEqual([]);
});

it('an upload is not blamed for a source that is slow to give the bytes', async () => {
  const server = await hostile(taking());
  async function* late(): AsyncGenerator<Buffer> {
    for (const half of [BYTES.slice(0, 5), BYTES.slice(5)]) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      yield Buffer.from(half);
    }
  }
  const client = clientFor({ timeouts: { idle: 100 } });
  const slow = (): Readable => Readable.from(late(), { objectMode: false });
  expect(await client.ensureBlob(repositoryAt(server.host), BLOB, slow, {})).toEqual({ how: 'uploaded' });
});

it('what a source answers is not taken for the word of the registry that is sent to', async () => {
  const server = await hostile(taking());
  for (const refusal of [
    new RegistryError('ImageNotFound', 'not here', { status: 404, code: 'BLOB_UPLOAD_UNKNOWN' }),
    new RegistryError('RegistryUnauthorized', 'not you', { status: 401 }),
  ]) {
    let opened = 0;
    const refused = (): AsyncIterable<Buffer> => {
      opened++;
      return {
        [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(refusal) }),
      };
    };
    await expect(clientFor().ensureBlob(repositoryAt(server.host), BLOB, refused, {})).rejects.toBe(refusal);
    expect(opened).toBe(1);
  }
});

it('a slow upload that moves is let go on for longer than the time limit', async () => {
  const server = await hostile(taking());
  const chunks = BYTES.match(/.{1,4}/gs) ?? [];
  async function* slowly(): AsyncGenerator<Buffer> {
    for (const chunk of chunks) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      yield Buffer.from(chunk);
    }
  }
  const slow = (): Readable => Readable.from(slowly(), { objectMode: false });
  const client = clientFor({ timeouts: { idle: 1000 } });
  expect(await client.ensureBlob(repositoryAt(server.host), BLOB, slow, {})).toEqual({ how: 'uploaded' });
});

it('a fault in the caller’s own progress function fails the upload, not the process', async () => {
  const server = await hostile(taking());
  const onBytes = (): void => {
    throw new Error('no heartbeat');
  };
  const failed = clientFor().ensureBlob(repositoryAt(server.host), BLOB, open, { onBytes });
  await expect(failed).rejects.toThrow('no heartbeat');
});

it('a cancelled upload breaks off at once, and another caller takes over', async () => {
  const server = await hostile(taking());
  const client = clientFor();
  const repository = repositoryAt(server.host);
  const stop = new AbortController();
  let source: Readable | undefined;
  const stalled = (): Readable => {
    let first = true;
    source = new Readable({
      read() {
        if (first) this.push('what');
        first = false;
      },
    });
    return source;
  };
  const cancelled = client.ensureBlob(repository, BLOB, stalled, {
    signal: stop.signal,
  });
  const joined = client.ensureBlob(repository, BLOB, open, {});
  await server.receiving;
  stop.abort(new Error('stopped'));
  await expect(cancelled).rejects.toThrow('stopped');
  await server.aborted;
  expect(source?.destroyed).toBe(true);
  expect(await joined).toEqual({ how: 'uploaded' });
});

it('a probe opens a session and abandons it, also where that is not supported', async () => {
  const server = await hostile(taking());
  await clientFor().probePush(repositoryAt(server.host));
  expect(methods(server.seen)).toBe('POST DELETE');
});
