import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { parseReference } from '../../src/registry/reference.js';
import { CHUNK_BYTES, uploadMannerOf, WHOLE_BYTES } from '../../src/registry/traits.js';
import type { BlobPart } from '../../src/registry/types.js';
import { MemoryUploadSessions } from '../../src/registry/upload-sessions.js';
import { errorBody, type Reply, type Rule, type Seen } from '../support/hostile-registry.js';
import { blobOf, clientFor, hostile } from './kit.js';

const BYTES = Buffer.alloc(2 * CHUNK_BYTES + 5, 'what the layer holds');
const BLOB = blobOf(BYTES);
const UPLOADS = '/v2/a/b/blobs/uploads/';
const repositoryAt = (host: string) => parseReference(`${host}/a/b`);
const open = (part: BlobPart = { from: 0, length: BYTES.length }): Readable =>
  Readable.from([BYTES.subarray(part.from, part.from + part.length)], { objectMode: false });
const methods = (seen: Seen[]): string => seen.map(({ method }) => method).join(' ');

/** A registry that keeps what it is sent. Its sessions move with each answer, and only the last place counts. */
function chunking(...before: Rule[]) {
  const state: { held: Buffer; place: number } = { held: Buffer.alloc(0), place: 0 };
  const answer = (status: number): Reply => ({
    status,
    headers: {
      location: `${UPLOADS}s?_state=${state.place}%2F`,
      range: `0-${Math.max(0, state.held.length - 1)}`,
    },
  });
  const here = ({ path }: Seen): boolean => path.includes(`_state=${state.place}%2F`);
  const rules: Rule[] = [
    ...before,
    {
      on: `POST ${UPLOADS}`,
      reply: () => {
        state.held = Buffer.alloc(0);
        state.place++;
        return answer(202);
      },
    },
    {
      on: `PATCH ${UPLOADS}s`,
      reply: (seen) => {
        const from = Number(/^(\d+)-/.exec(seen.headers['content-range'] ?? '')?.[1]);
        if (!here(seen) || from !== state.held.length) return { status: 416 };
        state.held = Buffer.concat([state.held, seen.body]);
        state.place++;
        return answer(202);
      },
    },
    { on: `GET ${UPLOADS}s`, reply: () => answer(204) },
    {
      on: `PUT ${UPLOADS}s`,
      reply: (seen) => {
        if (seen.body.length > 0) state.held = seen.body;
        const whole = state.held.equals(BYTES) && here(seen);
        return { status: whole ? 201 : 400, body: errorBody('DIGEST_INVALID') };
      },
    },
    { on: `DELETE ${UPLOADS}s`, reply: { status: 204 } },
  ];
  const patchOnce = rules
    .filter(({ on }) => on === `PATCH ${UPLOADS}s`)
    .map((rule) => ({ ...rule, times: 1 }));
  return { rules, state, patchOnce };
}

describe('a blob larger than a chunk', () => {
  it('goes in chunks with their place and length, each to where the answer before said', async () => {
    const server = await hostile(chunking().rules);
    const sent: number[] = [];
    const onBytes = (bytes: number): number => sent.push(bytes);
    expect(await clientFor().ensureBlob(repositoryAt(server.host), BLOB, open, { onBytes })).toEqual({
      how: 'uploaded',
    });
    expect(methods(server.seen)).toBe('HEAD POST PATCH PATCH PATCH PUT');
    const patches = server.seen.filter(({ method }) => method === 'PATCH');
    const size = CHUNK_BYTES;
    expect(patches.map(({ headers }) => [headers['content-range'], headers['content-length']])).toEqual([
      [`0-${size - 1}`, `${size}`],
      [`${size}-${2 * size - 1}`, `${size}`],
      [`${2 * size}-${2 * size + 4}`, '5'],
    ]);
    expect(sent.at(-1)).toBe(BYTES.length);
    expect(sent).toEqual(sent.toSorted((a, b) => a - b));
  });

  it('by a little goes in one request all the same', async () => {
    const size = WHOLE_BYTES;
    const { rules } = chunking();
    for (const [bytes, sent] of [
      [Buffer.alloc(size), 'POST PUT'],
      [Buffer.alloc(size + 1), 'HEAD POST PATCH PATCH PUT'],
    ] as const) {
      const blob = blobOf(bytes);
      const server = await hostile(
        rules.map((rule) =>
          rule.on.startsWith('PUT')
            ? { ...rule, reply: { status: 201, headers: { 'docker-content-digest': blob.digest } } }
            : rule,
        ),
      );
      const given = (part = { from: 0, length: bytes.length }): Readable =>
        Readable.from([bytes.subarray(part.from, part.from + part.length)], { objectMode: false });
      await clientFor().ensureBlob(repositoryAt(server.host), blob, given, {});
      expect(methods(server.seen)).toBe(sent);
    }
  });

  it('goes in larger chunks where the registry asks for them', async () => {
    const { rules } = chunking();
    const answered = rules.map((rule): Rule => {
      const { reply } = rule;
      if (!rule.on.startsWith('POST') || typeof reply !== 'function') return rule;
      const larger = (given: Reply): Reply => ({
        ...given,
        headers: { ...given.headers, 'oci-chunk-min-length': CHUNK_BYTES + 1000 },
      });
      return { ...rule, reply: (seen) => larger(reply(seen)) };
    });
    const server = await hostile(answered);
    await clientFor().ensureBlob(repositoryAt(server.host), BLOB, open, {});
    const patches = server.seen.filter(({ method }) => method === 'PATCH');
    expect(patches.map(({ headers }) => headers['content-length'])).toEqual([
      String(CHUNK_BYTES + 1000),
      String(CHUNK_BYTES - 995),
    ]);
  });

  it('goes on where another attempt was broken off, by another client', async () => {
    const { rules, patchOnce } = chunking();
    const server = await hostile([
      ...patchOnce,
      { on: `PATCH ${UPLOADS}s`, reply: 'reset', times: 1 },
      ...rules,
    ]);
    const sessions = new MemoryUploadSessions();
    const ensure = () => clientFor({ sessions }).ensureBlob(repositoryAt(server.host), BLOB, open, {});
    await expect(ensure()).rejects.toMatchObject({ type: 'RegistryUnavailable' });
    expect(await ensure()).toEqual({ how: 'uploaded' });
    expect(methods(server.seen)).toBe('HEAD POST PATCH PATCH HEAD GET PATCH PATCH PUT');
  });

  it.each<[string, Rule, string]>([
    ['is gone', { on: `GET ${UPLOADS}s`, reply: { status: 404 } }, 'GET POST PATCH'],
    ['can’t be told', { on: `GET ${UPLOADS}s`, reply: { status: 204 } }, 'GET POST PATCH'],
    [
      'has more than the blob',
      { on: `GET ${UPLOADS}s`, reply: { status: 204, headers: { range: `0-${BYTES.length}` } } },
      'GET POST PATCH',
    ],
    [
      'is not where it said',
      { on: `GET ${UPLOADS}s`, reply: { status: 204, headers: { range: '0-99' } }, times: 1 },
      'GET PATCH GET PATCH',
    ],
  ])('starts over, or asks again, when the session of before %s', async (_, rule, order) => {
    const { rules, patchOnce } = chunking();
    const sessions = new MemoryUploadSessions();
    const broken: Rule = { on: `PATCH ${UPLOADS}s`, reply: 'reset', times: 1 };
    const server = await hostile([...patchOnce, broken, rule, ...rules]);
    const ensure = () => clientFor({ sessions }).ensureBlob(repositoryAt(server.host), BLOB, open, {});
    await expect(ensure()).rejects.toMatchObject({ type: 'RegistryUnavailable' });
    expect(await ensure()).toEqual({ how: 'uploaded' });
    expect(methods(server.seen)).toContain(`PATCH HEAD ${order}`);
  });

  it('goes on from what the registry says that it took', async () => {
    const { rules, state } = chunking();
    const half: Rule = {
      on: `PATCH ${UPLOADS}s`,
      times: 1,
      reply: ({ body }) => {
        state.held = body.subarray(0, 1000);
        return { status: 202, headers: { location: `s?_state=${state.place}%2F`, range: '0-999' } };
      },
    };
    const server = await hostile([half, ...rules]);
    expect(await clientFor().ensureBlob(repositoryAt(server.host), BLOB, open, {})).toEqual({
      how: 'uploaded',
    });
    expect(server.seen.at(-2)?.headers['content-range']).toBe(`${CHUNK_BYTES + 1000}-${BYTES.length - 1}`);
  });

  it.each<[string, Reply]>([
    ['does not know chunks', { status: 405 }],
    ['is done after the first', { status: 201 }],
    ['takes nothing of the first', { status: 202, headers: { range: '0-0' } }],
    ['finds them too large', { status: 413 }],
    ['breaks on them', { status: 500 }],
  ])('is sent whole where the registry %s, and so is the next', async (_, reply) => {
    const { rules } = chunking({ on: `PATCH ${UPLOADS}s`, reply });
    const server = await hostile(rules);
    const client = clientFor();
    const ensure = () => client.ensureBlob(repositoryAt(server.host), BLOB, open, {});
    expect(await ensure()).toEqual({ how: 'uploaded' });
    client.forget(repositoryAt(server.host));
    await ensure();
    expect(methods(server.seen)).toBe('HEAD POST PATCH DELETE POST PUT HEAD POST PUT');
  });

  it('does not turn a refusal of rights into another attempt', async () => {
    const { rules } = chunking({ on: `PATCH ${UPLOADS}s`, reply: { status: 403 } });
    const server = await hostile(rules);
    const failed = clientFor().ensureBlob(repositoryAt(server.host), BLOB, open, {});
    await expect(failed).rejects.toMatchObject({ type: 'RegistryDenied' });
    expect(methods(server.seen)).toBe('HEAD POST PATCH');
  });

  it('that arrived as something else is not gone on with', async () => {
    const { rules } = chunking({
      on: `PUT ${UPLOADS}s`,
      times: 1,
      reply: { status: 400, body: errorBody('DIGEST_INVALID') },
    });
    const server = await hostile(rules);
    const client = clientFor();
    const ensure = () => client.ensureBlob(repositoryAt(server.host), BLOB, open, {});
    await expect(ensure()).rejects.toMatchObject({ type: 'TransferCorrupt' });
    expect(await ensure()).toEqual({ how: 'uploaded' });
    expect(methods(server.seen)).not.toContain('GET');
  });

  it('is sent again with the login when that ran out between chunks', async () => {
    const { rules, patchOnce } = chunking();
    const refusal: Rule = {
      on: `PATCH ${UPLOADS}s`,
      times: 1,
      reply: { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } },
    };
    const server = await hostile([...patchOnce, refusal, ...rules]);
    const login = { forHost: async () => ({ kind: 'password', user: 'u', password: 'p' }) as const };
    const client = clientFor({ credentials: login });
    expect(await client.ensureBlob(repositoryAt(server.host), BLOB, open, {})).toEqual({ how: 'uploaded' });
    expect(methods(server.seen)).toBe('HEAD POST PATCH PATCH GET PATCH PATCH PUT');
  });
});

describe('a host that is known', () => {
  it.each([
    '123456789012.dkr.ecr.eu-west-1.amazonaws.com',
    '123456789012.dkr.ecr-fips.us-east-1.amazonaws.com',
    '123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn',
    '123456789012.dkr-ecr.us-west-2.on.aws',
    '123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn',
    'public.ecr.aws',
    'europe-docker.pkg.dev',
    'gcr.io',
    'eu.gcr.io',
    'acme.azurecr.io',
    'ghcr.io',
    'docker.io',
  ])('%s gets its blobs whole', (host) => {
    expect(uploadMannerOf(host)).toBe('whole');
  });

  it.each([
    'quay.io',
    'harbor.example.com',
    'acme.jfrog.io',
    '127.0.0.1:5000',
    'ghcr.io.example.com',
    'notgcr.io',
    'mydocker.io',
  ])('%s gets chunks', (host) => {
    expect(uploadMannerOf(host)).toBe('chunks');
  });
});
