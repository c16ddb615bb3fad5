import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import type { RegistryClientOptions } from '../../src/registry/client.js';
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

it.each<[string, Reply, string, RegistryClientOptions['timeouts']?]>([
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
  ['stops coming', { status: 200, body: 'what', end: 'silence' }, 'RegistryUnavailable', { idle: 300 }],
  ['is not there', { status: 404 }, 'ImageNotFound'],
])('a blob that %s', async (_, reply, type, timeouts = {}) => {
  const server = await hostile([{ on: `GET ${PATH}`, reply }]);
  const client = clientFor({ timeouts });
  const read = client.blob(repositoryAt(server.host), BLOB).then(text);
  await expect(read).rejects.toMatchObject({ type, message: expect.stringContaining(server.host) });
});

it('a cancelled download ends at once, with the reason', async () => {
  const server = await hostile([{ on: `GET ${PATH}`, reply: { status: 200, body: 'what', end: 'silence' } }]);
  const stop = new AbortController();
  const stream = await clientFor().blob(repositoryAt(server.host), BLOB, stop.signal);
  setImmediate(() => stop.abort(new Error('stopped')));
  await expect(text(stream)).rejects.toThrow('stopped');
});

it('the size of a blob is told, or that it is not there', async () => {
  const server = await hostile([
    { on: `HEAD ${PATH}`, reply: { status: 200, headers: { 'content-length': 20 } } },
  ]);
  expect(await clientFor().headBlob(repositoryAt(server.host), BLOB.digest)).toBe(20);
  expect(await clientFor().headBlob(parseReference(`${server.host}/c`), BLOB.digest)).toBeUndefined();
});

describe('a blob from the middle on', () => {
  const FROM = 5;
  const part = (range: string): Reply => ({
    status: 206,
    headers: { 'content-range': range },
    body: BYTES.slice(FROM),
  });

  it.each<[string, Reply[], string]>([
    ['is all that is sent where ranges work', [part('bytes 5-19/20')], 'bytes=5-'],
    ['is known by its place where the whole is not told', [part('bytes 5-19/*')], 'bytes=5-'],
    ['is cut out of the whole where they are ignored', [{ status: 200, body: BYTES }], 'bytes=5-'],
    [
      'is cut out of the whole after another range',
      [part('bytes 4-18/20'), { status: 200, body: BYTES }],
      '',
    ],
    ['is cut out of the whole after half a range', [part('bytes 5-9/20'), { status: 200, body: BYTES }], ''],
    [
      'is cut out of the whole after no range',
      [
        { status: 206, body: 'x' },
        { status: 200, body: BYTES },
      ],
      '',
    ],
    ['is cut out of the whole after a refusal', [{ status: 416 }, { status: 200, body: BYTES }], ''],
  ])('%s', async (_, replies, last) => {
    const rules = replies.map((reply) => ({ on: `GET ${PATH}`, reply, times: 1 }));
    const server = await hostile(rules);
    const stream = await clientFor().blob(repositoryAt(server.host), BLOB, undefined, FROM);
    expect(await text(stream)).toBe(BYTES.slice(FROM));
    expect(server.seen.map(({ headers }) => headers.range)[0]).toBe('bytes=5-');
    expect(server.seen.at(-1)?.headers.range ?? '').toBe(last);
  });

  it('is asked for at the storage too, still without the login', async () => {
    const storage = await hostile([{ on: 'GET /x', reply: part('bytes 5-19/20') }]);
    const server = await hostile([
      { on: `GET ${PATH}`, reply: CHALLENGE, times: 1 },
      { on: `GET ${PATH}`, reply: { status: 307, headers: { location: `http://${storage.host}/x` } } },
    ]);
    const client = clientFor({ credentials: LOGIN });
    expect(await text(await client.blob(repositoryAt(server.host), BLOB, undefined, FROM))).toBe(
      BYTES.slice(FROM),
    );
    expect(storage.seen.map(({ headers }) => [headers.range, headers.authorization])).toEqual([
      ['bytes=5-', undefined],
    ]);
  });

  it('that ends too early or has more is no blob', async () => {
    const short: Reply = { ...part('bytes 5-19/20'), body: 'what' };
    const long: Reply = { ...part('bytes 5-19/20'), body: `${BYTES}` };
    for (const reply of [short, long]) {
      const server = await hostile([{ on: `GET ${PATH}`, reply }]);
      const read = clientFor().blob(repositoryAt(server.host), BLOB, undefined, FROM).then(text);
      await expect(read).rejects.toMatchObject({ type: 'TransferCorrupt' });
    }
  });
});
