import { describe, expect, it } from 'vitest';
import { isBlobUnknown } from '../../src/registry/errors.js';
import { DOCKER_LIST, OCI_INDEX, OCI_MANIFEST } from '../../src/registry/media-types.js';
import { errorBody, type Reply, startHostile } from '../support/hostile-registry.js';
import { clientFor, documentOf, hostile, imageOf, referenceTo } from './kit.js';

const IMAGE = imageOf('{}', 'layer');
const TYPE = { 'content-type': OCI_MANIFEST };
const OTHER = `sha256:${'0'.repeat(64)}`;

const answering = (reply: Reply | 'reset' | 'silence') => hostile([{ on: '* /v2/a/b/manifests/1', reply }]);

describe('what a registry answers to a pull', () => {
  it.each<[string, Reply | 'reset' | 'silence', string]>([
    ['401 without a challenge', { status: 401 }, 'RegistryUnauthorized'],
    ['401 that means denied', { status: 401, body: errorBody('DENIED') }, 'RegistryDenied'],
    ['403', { status: 403 }, 'RegistryDenied'],
    ['429', { status: 429, body: errorBody('TOOMANYREQUESTS') }, 'RegistryRateLimited'],
    ['503', { status: 503, body: 'busy' }, 'RegistryUnavailable'],
    ['400', { status: 400, body: errorBody('NAME_INVALID') }, 'RegistryRejected'],
    ['an error without end', { status: 500, zeros: 20_000_000 }, 'RegistryUnavailable'],
    ['a broken connection', 'reset', 'RegistryUnavailable'],
    ['half a body', { status: 200, headers: TYPE, body: '{"schema', end: 'reset' }, 'RegistryUnavailable'],
    [
      'a web page',
      { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' },
      'RegistryBadAnswer',
    ],
    [
      'a blocking proxy',
      { status: 403, headers: { 'content-type': 'text/html' }, body: 'no' },
      'RegistryBadAnswer',
    ],
    ['no JSON', { status: 200, headers: TYPE, body: 'garbage' }, 'RegistryBadAnswer'],
    ['an array', { status: 200, headers: TYPE, body: '[]' }, 'RegistryBadAnswer'],
    [
      'another digest',
      { status: 200, headers: { ...TYPE, 'docker-content-digest': OTHER }, body: IMAGE.bytes },
      'TransferCorrupt',
    ],
    [
      'schema 1',
      {
        status: 200,
        headers: { 'content-type': 'application/vnd.docker.distribution.manifest.v1+prettyjws' },
        body: '{}',
      },
      'ImageUnsupported',
    ],
    [
      'schema 1 as JSON',
      { status: 200, headers: { 'content-type': 'application/json' }, body: '{"schemaVersion":1}' },
      'ImageUnsupported',
    ],
    [
      'two types',
      { status: 200, headers: { 'content-type': OCI_INDEX }, body: IMAGE.bytes },
      'ImageUnsupported',
    ],
    [
      'both forms',
      { status: 200, headers: TYPE, body: '{"config":{},"layers":[],"manifests":[]}' },
      'ImageUnsupported',
    ],
    ['a redirect loop', { status: 307, headers: { location: '1' } }, 'RegistryRejected'],
    ['a Location that is no URL', { status: 307, headers: { location: 'ftp://x' } }, 'RegistryBadAnswer'],
  ])('%s', async (_, reply, type) => {
    const server = await answering(reply);
    const error: unknown = await clientFor()
      .manifest(referenceTo(`${server.host}/a/b:1`))
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ type, message: expect.stringContaining(server.host) });
    expect(server.sentZeros()).toBeLessThan(8_000_000);
  });

  it('404 is no error but nothing', async () => {
    const server = await hostile([]);
    expect(await clientFor().manifest(referenceTo(`${server.host}/a/b:1`))).toBeUndefined();
    expect(await clientFor().head(referenceTo(`${server.host}/a/b:1`))).toBeUndefined();
  });

  it('50 MB are refused without being read', async () => {
    const server = await answering({ status: 200, headers: TYPE, zeros: 50_000_000 });
    await expect(clientFor().manifest(referenceTo(`${server.host}/a/b:1`))).rejects.toThrow(
      /larger than 4 MiB/,
    );
    expect(server.sentZeros()).toBeLessThan(16_000_000);
  });

  it('silence ends at the time limit, and at once when cancelled', async () => {
    const server = await answering('silence');
    const reference = referenceTo(`${server.host}/a/b:1`);
    await expect(clientFor({ timeouts: { small: 200 } }).manifest(reference)).rejects.toMatchObject({
      type: 'RegistryUnavailable',
    });
    await expect(clientFor().manifest(reference, AbortSignal.timeout(50))).rejects.toMatchObject({
      name: 'TimeoutError',
    });
  });

  it.each([
    ['17', 17_000],
    ['in half an hour', 1_800_000],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['999999999', 3_600_000],
    ['soon', undefined],
    [undefined, undefined],
  ])('Retry-After %s', async (said, expected) => {
    const value = said === 'in half an hour' ? new Date(Date.now() + 1_800_000).toUTCString() : said;
    const server = await answering({
      status: 429,
      headers: value === undefined ? {} : { 'retry-after': value },
    });
    const error: unknown = await clientFor()
      .head(referenceTo(`${server.host}/a/b:1`))
      .catch((thrown: unknown) => thrown);
    const { retryAfterMs, type } = Object(error);
    expect(type).toBe('RegistryRateLimited');
    if (expected === undefined) expect(retryAfterMs).toBeUndefined();
    else expect(Math.abs(retryAfterMs - expected)).toBeLessThan(5000);
  });

  it('an error never repeats what could be a secret', async () => {
    const said = 'see https://u:canary@s3.example.com/x?sig=canary or Bearer canary';
    const server = await answering({ status: 400, body: errorBody('NAME_INVALID', said) });
    await expect(clientFor().manifest(referenceTo(`${server.host}/a/b:1`))).rejects.not.toThrow(/canary/);
  });
});

describe('head', () => {
  it('is one HEAD that accepts the four image types', async () => {
    const server = await answering({
      status: 200,
      headers: {
        ...TYPE,
        'docker-content-digest': IMAGE.descriptor.digest,
        'content-length': IMAGE.bytes.length,
      },
    });
    expect(await clientFor().head(referenceTo(`${server.host}/a/b:1`))).toEqual(IMAGE.descriptor);
    expect(server.seen.map(({ method }) => method)).toEqual(['HEAD']);
    const accepted = (server.seen[0]?.headers.accept ?? '').split(', ');
    expect(accepted).toHaveLength(4);
    expect(accepted).toEqual(expect.arrayContaining([OCI_INDEX, DOCKER_LIST]));
  });

  it.each<[string, Reply]>([
    ['no digest', { status: 200, headers: TYPE }],
    ['a digest of another kind', { status: 200, headers: { ...TYPE, 'docker-content-digest': 'sha512:00' } }],
    ['no support for HEAD', { status: 405 }],
  ])('computes what it needs where there is %s', async (_, reply) => {
    const server = await hostile([
      { on: 'HEAD /v2/a/b/manifests/1', reply },
      { on: 'GET /v2/a/b/manifests/1', reply: { status: 200, headers: TYPE, body: IMAGE.bytes } },
    ]);
    expect(await clientFor().head(referenceTo(`${server.host}/a/b:1`))).toEqual(IMAGE.descriptor);
  });
});

describe('a manifest', () => {
  it('must be what its digest says', async () => {
    const path = `* /v2/a/b/manifests/${OTHER}`;
    const server = await hostile([{ on: path, reply: { status: 200, headers: TYPE, body: IMAGE.bytes } }]);
    const pinned = referenceTo(`${server.host}/a/b@${OTHER}`);
    await expect(clientFor().manifest(pinned)).rejects.toMatchObject({ type: 'TransferCorrupt' });
  });

  it('has the type that it names itself, where the registry names none', async () => {
    const list = documentOf({ schemaVersion: 2, mediaType: DOCKER_LIST, manifests: [] }, DOCKER_LIST);
    const server = await answering({
      status: 200,
      headers: { 'content-type': 'text/plain' },
      body: list.bytes,
    });
    expect((await clientFor().manifest(referenceTo(`${server.host}/a/b:1`)))?.descriptor).toEqual(
      list.descriptor,
    );
  });

  it.each([
    ['MANIFEST_BLOB_UNKNOWN', 400, 'RegistryRejected', true],
    ['NAME_UNKNOWN', 404, 'ImageNotFound', false],
    ['MANIFEST_INVALID', 400, 'RegistryRejected', false],
  ])('that is refused with %s', async (code, status, type, blobUnknown) => {
    const server = await answering({ status, body: errorBody(code) });
    const error: unknown = await clientFor()
      .putManifest(referenceTo(`${server.host}/a/b:1`), IMAGE)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ type, code, status });
    expect(isBlobUnknown(error)).toBe(blobUnknown);
  });

  it('with foreign layers that are refused says how to go on', async () => {
    const server = await answering({ status: 500, body: errorBody('UNKNOWN', 'invalid URL on layer') });
    await expect(clientFor().putManifest(referenceTo(`${server.host}/a/b:1`), IMAGE)).rejects.toMatchObject({
      type: 'ForeignLayersRefused',
      message: expect.stringContaining('platforms'),
    });
  });

  it('that arrives as another is not taken for pushed', async () => {
    const server = await answering({ status: 201, headers: { 'docker-content-digest': OTHER } });
    await expect(clientFor().putManifest(referenceTo(`${server.host}/a/b:1`), IMAGE)).rejects.toMatchObject({
      type: 'TransferCorrupt',
    });
  });
});

it('a host where nothing listens is said to be so', async () => {
  const server = await startHostile(() => []);
  await server.stop();
  await expect(clientFor().head(referenceTo(`${server.host}/a:1`))).rejects.toThrow(/nothing listens there/);
});
