import { expect, it, onTestFinished, vi } from 'vitest';
import { anonymous, type Credential, targetCredentials } from '../../src/registry/credentials.js';
import type { Rule, Seen } from '../support/hostile-registry.js';
import { clientFor, hostile, imageOf, referenceTo } from './kit.js';

const IMAGE = imageOf('{}', 'layer');
const credentials = (credential: Credential) => ({ forHost: async () => credential });
const LOGIN: Credential = { kind: 'password', user: 'u', password: 'canary' };
const BASIC = `Basic ${Buffer.from('u:canary').toString('base64')}`;

/** A registry whose tokens come from its own `/token`, numbered; it takes those that `accepts` takes. */
const tokenRegistry = (
  options: {
    accepts?: (authorization: string | undefined) => boolean;
    answer?: (count: number) => object;
    scope?: string;
  } = {},
): ((self: string) => Rule[]) => {
  let count = 0;
  const { accepts = (header) => header?.startsWith('Bearer token-') ?? false } = options;
  const answer = options.answer ?? ((n: number) => ({ token: `token-${n}`, expires_in: 300 }));
  const manifest = (self: string) => (seen: Seen) =>
    accepts(seen.headers.authorization)
      ? {
          status: 200,
          headers: { 'content-type': IMAGE.descriptor.mediaType },
          body: seen.method === 'HEAD' ? '' : IMAGE.bytes,
        }
      : {
          status: 401,
          headers: {
            'www-authenticate': `Bearer realm="http://${self}/token",service="svc"${options.scope ? `,scope="${options.scope}"` : ''}`,
          },
        };
  return (self) => [
    { on: '* /token', reply: () => ({ status: 200, body: JSON.stringify(answer(++count)) }) },
    { on: '* /v2/a/b/manifests/1', reply: manifest(self) },
  ];
};
const tokenRequests = (seen: Seen[]): Seen[] => seen.filter(({ path }) => path.startsWith('/token'));

it('a token is asked for with service, scope and the login, and then used by all requests', async () => {
  const server = await hostile(tokenRegistry());
  const client = clientFor({ credentials: credentials(LOGIN) });
  const reference = referenceTo(`${server.host}/a/b:1`);
  await client.manifest(reference);
  await Promise.all([client.manifest(reference), client.manifest(reference)]);
  const [asked, ...more] = tokenRequests(server.seen);
  expect(more).toEqual([]);
  expect(asked?.path).toBe('/token?service=svc&scope=repository%3Aa%2Fb%3Apull');
  expect(asked?.headers.authorization).toBe(BASIC);
  expect(
    server.seen.filter(({ path }) => path.startsWith('/v2/')).map((s) => s.headers.authorization),
  ).toEqual([undefined, 'Bearer token-1', 'Bearer token-1', 'Bearer token-1']);
});

it('requests at the same time share one token', async () => {
  const server = await hostile(tokenRegistry());
  const client = clientFor();
  const reference = referenceTo(`${server.host}/a/b:1`);
  await Promise.all(Array.from({ length: 10 }, () => client.manifest(reference)));
  expect(tokenRequests(server.seen)).toHaveLength(1);
  expect(tokenRequests(server.seen)[0]?.headers.authorization).toBeUndefined();
});

it('a token is renewed before it ends, by the lifetime it came with or 60 s', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  const server = await hostile(tokenRegistry({ answer: (n) => ({ access_token: `token-${n}` }) }));
  const client = clientFor();
  const reference = referenceTo(`${server.host}/a/b:1`);
  await client.manifest(reference);
  vi.setSystemTime(Date.now() + 40_000);
  await client.manifest(reference);
  expect(tokenRequests(server.seen)).toHaveLength(1);
  vi.setSystemTime(Date.now() + 10_000);
  await client.manifest(reference);
  expect(tokenRequests(server.seen)).toHaveLength(2);
});

it('a token that the registry no longer takes is replaced once', async () => {
  let valid = 'Bearer token-1';
  const server = await hostile(tokenRegistry({ accepts: (header) => header === valid }));
  const client = clientFor();
  const reference = referenceTo(`${server.host}/a/b:1`);
  await client.manifest(reference);
  valid = 'Bearer token-2';
  await Promise.all([client.manifest(reference), client.manifest(reference)]);
  expect(tokenRequests(server.seen)).toHaveLength(2);
});

it('a fresh token that is refused means that the login does not do', async () => {
  const server = await hostile(tokenRegistry({ accepts: () => false }));
  const client = clientFor({ credentials: credentials(LOGIN) });
  const failed = client.manifest(referenceTo(`${server.host}/a/b:1`));
  await expect(failed).rejects.toMatchObject({ type: 'RegistryUnauthorized' });
  await expect(failed).rejects.not.toThrow(/canary|token-/);
  expect(tokenRequests(server.seen)).toHaveLength(1);
});

it('a scope that the registry names itself is asked for as well', async () => {
  const server = await hostile(tokenRegistry({ scope: 'repository:inner/b:pull repository:a/b:pull' }));
  await clientFor().manifest(referenceTo(`${server.host}/a/b:1`));
  const { searchParams } = new URL(tokenRequests(server.seen)[0]?.path ?? '', 'http://x');
  expect(searchParams.getAll('scope')).toEqual(['repository:a/b:pull', 'repository:inner/b:pull']);
});

it('an identity token goes to the realm by POST, as OAuth 2 has it', async () => {
  const server = await hostile(tokenRegistry());
  const client = clientFor({ credentials: credentials({ kind: 'identity-token', token: 'refresh' }) });
  await client.manifest(referenceTo(`${server.host}/a/b:1`));
  const [asked] = tokenRequests(server.seen);
  expect(asked?.method).toBe('POST');
  expect(Object.fromEntries(new URLSearchParams(asked?.body.toString()))).toMatchObject({
    grant_type: 'refresh_token',
    refresh_token: 'refresh',
    service: 'svc',
    scope: 'repository:a/b:pull',
  });
});

it.each([
  [
    'wrong login',
    { status: 401, body: '{"details":"incorrect username or password"}' },
    'RegistryUnauthorized',
  ],
  ['a web page', { status: 200, body: '<html>log in here</html>' }, 'RegistryBadAnswer'],
  ['no token', { status: 200, body: '{"token":""}' }, 'RegistryBadAnswer'],
  [
    'a token that would break a header',
    { status: 200, body: '{"token":"a\\r\\nb: c"}' },
    'RegistryBadAnswer',
  ],
  ['an answer without end', { status: 200, zeros: 20_000_000 }, 'RegistryBadAnswer'],
  ['too many requests', { status: 429, headers: { 'retry-after': '7' } }, 'RegistryRateLimited'],
  ['a broken server', { status: 503 }, 'RegistryUnavailable'],
])('a token server with %s', async (_, reply, type) => {
  const server = await hostile((self) => [{ on: 'GET /token', reply }, ...tokenRegistry()(self)]);
  const client = clientFor({ credentials: credentials(LOGIN) });
  const error: unknown = await client
    .manifest(referenceTo(`${server.host}/a/b:1`))
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ type, message: expect.stringContaining(server.host) });
  expect(server.sentZeros()).toBeLessThan(8_000_000);
});

it.each<[string, Credential]>([
  ['a password', LOGIN],
  ['an identity token', { kind: 'identity-token', token: 'canary' }],
])('%s does not follow a token server’s redirect to another host', async (_, login) => {
  const other = await hostile([{ on: '* /token', reply: { status: 200, body: '{"token":"token-1"}' } }]);
  const elsewhere = { status: 307, headers: { location: `http://${other.host}/token` } };
  const server = await hostile((self) => [{ on: '* /token', reply: elsewhere }, ...tokenRegistry()(self)]);
  const client = clientFor({ credentials: credentials(login) });
  await client.manifest(referenceTo(`${server.host}/a/b:1`)).catch(() => undefined);
  const seen = other.seen.map(({ headers, path, body }) => JSON.stringify([headers, path, body.toString()]));
  expect(seen.join()).not.toMatch(/canary|authorization/i);
});

it('the login of the target is asked for no other host, whatever realm that names', async () => {
  const target = await hostile(tokenRegistry());
  const server = await hostile(() => [
    {
      on: '* /v2/a/b/manifests/1',
      reply: { status: 401, headers: { 'www-authenticate': `Bearer realm="http://${target.host}/token"` } },
    },
  ]);
  const client = clientFor({
    credentials: targetCredentials(target.host, { user: 'u', password: 'canary' }, anonymous),
  });
  await client.manifest(referenceTo(`${server.host}/a/b:1`)).catch(() => undefined);
  for (const { headers } of [...target.seen, ...server.seen])
    expect(headers.authorization ?? '').not.toBe(BASIC);
});

it('a challenge for Basic without a login says what to do', async () => {
  const server = await hostile([
    {
      on: 'GET /v2/a/b/manifests/1',
      reply: { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } },
    },
  ]);
  const reference = referenceTo(`${server.host}/a/b:1`);
  await expect(clientFor().manifest(reference)).rejects.toMatchObject({ type: 'RegistryUnauthorized' });
  await expect(clientFor().manifest(reference)).rejects.toThrow(/docker login/);
});

it('a caller who gives up does not spoil the token for the others', async () => {
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const inner = tokenRegistry();
  const server = await hostile(inner);
  const slow = {
    forHost: async () => {
      await gate;
      return LOGIN;
    },
  };
  const client = clientFor({ credentials: slow });
  const reference = referenceTo(`${server.host}/a/b:1`);
  const stop = new AbortController();
  const first = client.manifest(reference, stop.signal);
  const second = client.manifest(reference);
  stop.abort(new Error('stopped'));
  release();
  await expect(first).rejects.toThrow('stopped');
  expect((await second)?.descriptor.digest).toBe(IMAGE.descriptor.digest);
});
