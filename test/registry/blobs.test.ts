import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { parseReference } from '../../src/registry/reference.js';
import { resolveLocation } from '../../src/registry/transport.js';
import type { Reply } from '../support/hostile-registry.js';
import { blobOf, clientFor, hostile } from './kit.js';

const BYTES = 'what the layer holds';
const BLOB = blobOf(BYTES);
const PATH = `/v2/a/b/blobs/${BLOB.digest}`;
const repositoryAt = (host: string) => parseReference(`${host}/a/b`);
const LOGIN = { forHost: async () => ({ kind: 'password', user: 'u', password: 'canary' }) as const };
const CHALLENGE: Reply = { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } };

it('a blob is followed to a storage elsewhere, without the login', async () => {
  const storage = await hostile([{ on: 'GET /bucket/x', reply: { status: 200, body: BYTES } }]);
  const server = await hostile([
    { on: `GET ${PATH}`, reply: CHALLENGE, times: 1 },
    {
      on: `GET ${PATH}`,
      reply: { status: 307, headers: { location: `http://${storage.host}/bucket/x?sig=1` } },
    },
  ]);
  const client = clientFor({ credentials: LOGIN });
  expect(await text(await client.blob(repositoryAt(server.host), BLOB))).toBe(BYTES);
  expect(server.seen.map(({ headers }) => headers.authorization !== undefined)).toEqual([false, true]);
  expect(storage.seen.map(({ headers, path }) => [headers.authorization, path])).toEqual([
    [undefined, '/bucket/x?sig=1'],
  ]);
});

it('a storage elsewhere that asks for a login gets none', async () => {
  const storage = await hostile([{ on: 'GET /x', reply: CHALLENGE }]);
  const server = await hostile([
    {
      on: `GET ${PATH}`,
      reply: { status: 302, headers: { location: `http://${storage.host}/x?sig=canary` } },
    },
  ]);
  const failed = clientFor({ credentials: LOGIN }).blob(repositoryAt(server.host), BLOB);
  await expect(failed).rejects.toMatchObject({ type: 'RegistryUnavailable' });
  await expect(failed).rejects.not.toThrow(/canary/);
  expect(storage.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
});

it('a storage elsewhere does not get the login by sending us back and forth', async () => {
  const storage = await hostile((self) => [
    { on: 'GET /x', reply: { status: 302, headers: { location: `http://${self}/y` } } },
    { on: 'GET /y', reply: { status: 200, body: BYTES } },
  ]);
  const server = await hostile([
    { on: `GET ${PATH}`, reply: CHALLENGE, times: 1 },
    { on: `GET ${PATH}`, reply: { status: 302, headers: { location: '/again' } } },
    { on: 'GET /again', reply: { status: 302, headers: { location: `http://${storage.host}/x` } } },
  ]);
  expect(await text(await clientFor({ credentials: LOGIN }).blob(repositoryAt(server.host), BLOB))).toBe(
    BYTES,
  );
  expect(server.seen.at(-1)).toMatchObject({ path: '/again', headers: { authorization: expect.anything() } });
  expect(storage.seen.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
});

it('a step from HTTPS to HTTP is refused', () => {
  const base = new URL('https://reg.example.com/v2/a/blobs/x');
  expect(resolveLocation('../y', base).href).toBe('https://reg.example.com/v2/a/y');
  expect(resolveLocation('//s3.example.com/z', base).href).toBe('https://s3.example.com/z');
  expect(() => resolveLocation('http://reg.example.com/y', base)).toThrow(/plain HTTP/);
  expect(() => resolveLocation('https://u:p@reg.example.com/y', base)).toThrow(/no plain URL/);
});

it.each<[string, Reply, string]>([
  ['is longer than it says', { status: 200, zeros: 200_000 }, 'TransferCorrupt'],
  [
    'is of another length',
    { status: 200, body: `${BYTES}!`, headers: { 'content-length': 21 } },
    'TransferCorrupt',
  ],
  ['ends too early', { status: 200, body: 'what' }, 'TransferCorrupt'],
  [
    'breaks off',
    { status: 200, body: 'what', headers: { 'content-length': BYTES.length }, end: 'reset' },
    'RegistryUnavailable',
  ],
  ['stops coming', { status: 200, body: 'what', end: 'silence' }, 'RegistryUnavailable'],
  ['is not there', { status: 404 }, 'ImageNotFound'],
])('a blob that %s', async (_, reply, type) => {
  const server = await hostile([{ on: `GET ${PATH}`, reply }]);
  const client = clientFor({ timeouts: { idle: 300 } });
  const read = client.blob(repositoryAt(server.host), BLOB).then(text);
  await expect(read).rejects.toMatchObject({ type, message: expect.stringContaining(server.host) });
});

it('a cancelled download ends at once, with the reason', async () => {
  const server = await hostile([{ on: `GET ${PATH}`, reply: { status: 200, body: 'what', end: 'silence' } }]);
  const stop = new AbortController();
  const stream = await clientFor().blob(repositoryAt(server.host), BLOB, stop.signal);
  stream.once('data', () => stop.abort(new Error('stopped')));
  await expect(text(stream)).rejects.toThrow('stopped');
});

it('the size of a blob is told, or that it is not there', async () => {
  const server = await hostile([
    { on: `HEAD ${PATH}`, reply: { status: 200, headers: { 'content-length': 20 } } },
  ]);
  expect(await clientFor().headBlob(repositoryAt(server.host), BLOB.digest)).toBe(20);
  expect(await clientFor().headBlob(parseReference(`${server.host}/c`), BLOB.digest)).toBeUndefined();
});
