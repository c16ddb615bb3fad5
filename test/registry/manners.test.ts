import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Manners } from '../../src/registry/manners.js';
import { parseReference } from '../../src/registry/reference.js';
import { errorBody, type Reply, type Rule } from '../support/hostile-registry.js';
import { blobOf, clientFor, hostile, imageOf, referenceTo } from './kit.js';

const IMAGE = imageOf('{}', 'layer');
const FOUND: Reply = {
  status: 200,
  headers: { 'content-type': IMAGE.descriptor.mediaType },
  body: IMAGE.bytes,
};
const answer = (status: number, headers: Record<string, string> = {}) => ({
  status,
  header: (name: string): string | undefined => headers[name],
});
const HOST = 'reg.example.com';

describe('manners', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date', 'performance'] }));
  afterEach(() => void vi.useRealTimers());
  /** How long the next request would wait, in milliseconds; it is not sent. */
  const waitOf = async (manners: Manners, counts = false, host = HOST): Promise<number> => {
    const stop = new AbortController();
    let over = false;
    const turn = manners.turn(host, counts, stop.signal).then(
      () => {
        over = true;
        return 0;
      },
      (error: unknown) => Object(error).retryAfterMs,
    );
    await new Promise(setImmediate);
    if (over) return 0;
    stop.abort(new Error('looked'));
    return (await turn) ?? Number.POSITIVE_INFINITY;
  };

  it('let a host that says nothing be asked at once', async () => {
    const manners = new Manners();
    manners.learn(HOST, answer(200));
    manners.learn(HOST, answer(503));
    expect([await waitOf(manners), await waitOf(manners, true)]).toEqual([0, 0]);
  });

  it('wait as long as they were asked to, whatever happens to the wall clock', async () => {
    const manners = new Manners();
    manners.learn(HOST, answer(429, { 'retry-after': '20' }));
    vi.setSystemTime(Date.now() - 48 * 3_600_000);
    vi.advanceTimersByTime(20_000);
    expect(await waitOf(manners)).toBe(0);
  });

  it.each([
    [429, '20'],
    [503, '20'],
  ])(
    'keep everything from a host for as long as its %i asks, and nothing from others',
    async (status, value) => {
      const manners = new Manners();
      manners.learn(HOST, answer(status, { 'retry-after': value }));
      expect(await waitOf(manners)).toBe(Number.POSITIVE_INFINITY);
      expect(await waitOf(manners, false, 'other.example.com')).toBe(0);
      vi.advanceTimersByTime(20_000);
      expect(await waitOf(manners)).toBe(0);
    },
  );

  it('fail at once when the wait is long, and say how long it is', async () => {
    const manners = new Manners();
    manners.learn(HOST, answer(429, { 'retry-after': '600' }));
    vi.advanceTimersByTime(100_000);
    await expect(manners.turn(HOST, false, undefined)).rejects.toMatchObject({
      type: 'RegistryRateLimited',
      retryAfterMs: 500_000,
      message: expect.stringContaining(HOST),
    });
  });

  it('pause longer after each 429 without Retry-After, until one goes through', async () => {
    const manners = new Manners();
    const pauses: number[] = [];
    for (let round = 0; round < 7; round++) {
      manners.learn(HOST, answer(429));
      const from = Date.now();
      while ((await waitOf(manners)) > 0) vi.advanceTimersByTime(500);
      pauses.push((Date.now() - from) / 1000);
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 30, 30]);
    manners.learn(HOST, answer(200));
    manners.learn(HOST, answer(429));
    vi.advanceTimersByTime(1000);
    expect(await waitOf(manners)).toBe(0);
  });

  it('spread what is left of a pull limit, and only what counts', async () => {
    const manners = new Manners();
    manners.learn(HOST, answer(200, { 'ratelimit-remaining': '50;w=21600' }));
    expect([await waitOf(manners, true), await waitOf(manners, true)]).toEqual([0, 0]);
    manners.learn(HOST, answer(200, { 'ratelimit-remaining': '4;w=30' }));
    expect(await waitOf(manners, true)).toBeGreaterThan(0);
    expect(await waitOf(manners, false)).toBe(0);
    vi.advanceTimersByTime(6000);
    expect(await waitOf(manners, true)).toBe(0);
    expect(await waitOf(manners, true)).toBeGreaterThan(0);
    manners.learn(HOST, answer(200, { 'ratelimit-remaining': '99;w=21600' }));
    expect(await waitOf(manners, true)).toBe(0);
    expect(manners.stats()).toMatchObject([{ host: HOST, remaining: 99 }]);
  });
});

describe('a client', () => {
  const MANIFEST = 'GET /v2/a/b/manifests/1';
  const limited = (retryAfter: number): Rule => ({
    on: MANIFEST,
    times: 1,
    reply: {
      status: 429,
      headers: { 'retry-after': String(retryAfter) },
      body: errorBody('TOOMANYREQUESTS'),
    },
  });

  it('sits out a short wait and asks again', async () => {
    const server = await hostile([limited(1), { on: MANIFEST, reply: FOUND }]);
    const from = Date.now();
    const client = clientFor();
    expect(await client.manifest(referenceTo(`${server.host}/a/b:1`))).toEqual(IMAGE);
    expect(Date.now() - from).toBeGreaterThanOrEqual(990);
    expect(client.stats()).toMatchObject([{ host: server.host, requests: 2, limited: 1 }]);
  });

  it('and all that share its manners ask a host that wants a long wait nothing more', async () => {
    const server = await hostile([limited(600), { on: MANIFEST, reply: FOUND }]);
    const manners = new Manners();
    const reference = referenceTo(`${server.host}/a/b:1`);
    const ask = () => clientFor({ manners }).manifest(reference);
    await expect(ask()).rejects.toMatchObject({ type: 'RegistryRateLimited', retryAfterMs: 600_000 });
    await expect(ask()).rejects.toMatchObject({ type: 'RegistryRateLimited' });
    expect(server.seen).toHaveLength(1);
    expect(await clientFor().manifest(reference)).toEqual(IMAGE);
  });

  it('waits no longer than its caller does', async () => {
    const server = await hostile([limited(30), { on: MANIFEST, reply: FOUND }]);
    const client = clientFor();
    const reference = referenceTo(`${server.host}/a/b:1`);
    await expect(client.manifest(reference)).rejects.toMatchObject({ retryAfterMs: 30_000 });
    const stop = new AbortController();
    const waiting = client.manifest(reference, stop.signal);
    stop.abort(new Error('stopped'));
    await expect(waiting).rejects.toThrow('stopped');
  });

  it('counts requests and bytes by host, also of a storage behind a redirect', async () => {
    const blob = blobOf('what the layer holds');
    const storage = await hostile([{ on: 'GET /x', reply: { status: 200, body: 'what the layer holds' } }]);
    const at = `/v2/a/b/blobs/${blob.digest}`;
    const server = await hostile([
      { on: `GET ${at}`, reply: { status: 307, headers: { location: `http://${storage.host}/x` } } },
      { on: 'POST /v2/a/b/blobs/uploads/', reply: { status: 202, headers: { location: '/s' } } },
      { on: 'PUT /s', reply: { status: 201 } },
    ]);
    const client = clientFor();
    const repository = parseReference(`${server.host}/a/b`);
    const stream = await client.blob(repository, blob);
    await client.ensureBlob(repository, blob, () => Readable.from([Buffer.from('what the layer holds')]), {});
    expect(await text(stream)).toBe('what the layer holds');
    const none = { limited: 0, remaining: null };
    expect(client.stats()).toEqual([
      { host: server.host, requests: 3, bytesIn: 0, bytesOut: 20, ...none },
      { host: storage.host, requests: 1, bytesIn: 20, bytesOut: 0, ...none },
    ]);
  });
});
