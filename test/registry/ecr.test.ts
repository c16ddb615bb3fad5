import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { trusting } from '../../src/common/certificates.js';
import { RegistryClient } from '../../src/registry/client.js';
import { anonymous } from '../../src/registry/credentials.js';
import { Ecr } from '../../src/registry/ecr.js';
import { ecrOf } from '../../src/registry/ecr-host.js';
import { parseReference, type Repository } from '../../src/registry/reference.js';
import { ECR_HOST, type FakeEcr, startFakeEcr } from '../support/ecr.js';
import { blobOf, imageOf, referenceTo } from './kit.js';

let ecr: FakeEcr;
beforeAll(async () => {
  ecr = await startFakeEcr();
});
afterAll(() => ecr.stop());

let client: RegistryClient;
let hostApi: Ecr;
/** Of each test its own. */
let repository: Repository;
let tests = 0;

beforeEach(async () => {
  repository = parseReference(`${ECR_HOST}/ci/test-${++tests}`);
  ecr.calls.length = 0;
  ecr.refuse.clear();
  vi.stubEnv('HTTPS_PROXY', ecr.proxy);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'canary');
  const { ca } = await trusting([ecr.certificate]);
  hostApi = new Ecr(ecr.api);
  client = new RegistryClient({ credentials: hostApi.logins(anonymous), insecureHosts: [], hostApi, ca });
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await client.close();
  });
});

const tag = () => referenceTo(`${repository.host}/${repository.path}:1`);
const count = (action: string): number => ecr.calls.filter((call) => call === action).length;
const put = (bytes: Buffer) =>
  client.ensureBlob(repository, blobOf(bytes), () => Readable.from([bytes], { objectMode: false }), {});
const config = Buffer.from('{"os":"linux","architecture":"amd64"}');
const pushImage = async (layer: Buffer): Promise<void> => {
  await Promise.all([put(config), put(layer)]);
  await client.putManifest(tag(), imageOf(config.toString(), layer));
};

describe('a push to ECR', () => {
  it('logs in with the AWS credentials and makes the repository that is missing, once', async () => {
    await pushImage(randomBytes(1000));
    expect(ecr.repositories.get(repository.path)).toBe('MUTABLE');
    expect(count('CreateRepository')).toBe(1);
    expect(count('GetAuthorizationToken')).toBe(1);
  });

  it('goes on with a new token when the old one has run out', async () => {
    await pushImage(randomBytes(1000));
    ecr.expireTokens();
    await pushImage(randomBytes(1000));
    expect(count('GetAuthorizationToken')).toBe(2);
  });

  it('takes a new token before the old one runs out', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    await pushImage(randomBytes(1000));
    vi.setSystemTime(Date.now() + 10.5 * 3_600_000);
    await pushImage(randomBytes(1000));
    expect(count('GetAuthorizationToken')).toBe(1);
    vi.setSystemTime(Date.now() + 3_600_000);
    await pushImage(randomBytes(1000));
    expect(count('GetAuthorizationToken')).toBe(2);
  });

  it('that may not make repositories says which right is missing', async () => {
    ecr.refuse.set('CreateRepository', 'AccessDeniedException');
    const failed = pushImage(randomBytes(1000));
    await expect(failed).rejects.toMatchObject({
      type: 'RegistryDenied',
      message: expect.stringMatching(/repository ci\/test-.*ecr:CreateRepository/),
    });
    await expect(failed).rejects.not.toThrow(/canary|AKID/);
  });

  it.each([
    ['ExpiredTokenException', 'RegistryUnauthorized'],
    ['AccessDeniedException', 'RegistryDenied'],
    ['ServerException', 'RegistryUnavailable'],
  ])('whose token is refused with %s ends as %s', async (refusal, type) => {
    ecr.refuse.set('GetAuthorizationToken', refusal);
    const failed = pushImage(randomBytes(1000));
    await expect(failed).rejects.toMatchObject({ type });
    await expect(failed).rejects.not.toThrow(/canary|AKID/);
  });

  it('uses what is configured for the host rather than the AWS credentials', async () => {
    const own = { kind: 'password', user: 'robot', password: 'p' } as const;
    expect(await hostApi.logins({ forHost: async () => own }).forHost(ECR_HOST)).toBe(own);
    expect(ecr.calls).toEqual([]);
  });
});

describe('a call that several wait for', () => {
  const cancelled = new Error('cancelled');

  it('goes on for the others when the one who began it is cancelled', async () => {
    const first = new AbortController();
    const began = hostApi.createRepository(repository, first.signal);
    const other = hostApi.createRepository(repository);
    first.abort(cancelled);
    await expect(began).rejects.toBe(cancelled);
    expect(await other).toBe(true);
    expect(count('CreateRepository')).toBe(1);
  });

  it('is kept when it was answered, not when it was refused or nobody waited for it', async () => {
    ecr.repositories.set(repository.path, 'IMMUTABLE');
    ecr.refuse.set('DescribeRepositories', 'ThrottlingException');
    expect(await hostApi.keepsTag(tag())).toBe(false);
    ecr.refuse.clear();
    const first = new AbortController();
    const began = hostApi.keepsTag(tag(), first.signal);
    first.abort(cancelled);
    await expect(began).rejects.toBe(cancelled);
    expect(await hostApi.keepsTag(tag())).toBe(true);
    const before = count('DescribeRepositories');
    expect(await hostApi.keepsTag(tag())).toBe(true);
    expect(count('DescribeRepositories')).toBe(before);
  });
});

describe('the API where AWS has it', () => {
  it('is asked through HTTPS_PROXY, and trusted by EXTRA_CA_FILE', async () => {
    const { ca } = await trusting([ecr.certificate]);
    expect(await new Ecr(null, ca).logins(anonymous).forHost(ECR_HOST)).toMatchObject({ user: 'AWS' });
    expect(count('GetAuthorizationToken')).toBe(1);
    await expect(new Ecr(null).logins(anonymous).forHost(ECR_HOST)).rejects.toMatchObject({
      type: 'CertificateNotTrusted',
      message: expect.stringMatching(/^the ECR API of .* could not be reached: .* EXTRA_CA_FILE$/),
    });
  });

  it('is not asked where the proxy does not let us through', async () => {
    const host = ECR_HOST.replace('eu-central-1', 'eu-west-1');
    await expect(new Ecr(null).logins(anonymous).forHost(host)).rejects.toMatchObject({
      type: 'RegistryUnavailable',
      message: expect.stringContaining('UND_ERR_ABORTED'),
    });
  });
});

describe('a tag that ECR keeps', () => {
  it('is known before it is put, by the repository’s settings', async () => {
    await pushImage(randomBytes(1000));
    expect(await client.keepsTag(tag())).toBe(false);
    const fresh = new Ecr(ecr.api);
    ecr.repositories.set(repository.path, 'IMMUTABLE');
    expect(await fresh.keepsTag(tag())).toBe(true);
    ecr.refuse.set('DescribeRepositories', 'AccessDeniedException');
    expect(await new Ecr(ecr.api).keepsTag(tag())).toBe(false);
  });

  it('takes again what it holds, and refuses anything else once and for good', async () => {
    const layer = randomBytes(1000);
    await pushImage(layer);
    ecr.repositories.set(repository.path, 'IMMUTABLE');
    await pushImage(layer);
    const before = ecr.requests.length;
    await expect(pushImage(randomBytes(1000))).rejects.toMatchObject({
      type: 'TagImmutable',
      retryable: false,
      message: expect.stringContaining('let the repository replace tags'),
    });
    const puts = ecr.requests.slice(before).filter((line) => /^PUT .*\/manifests\/1$/.test(line));
    expect(puts).toHaveLength(1);
  });
});

it('only Amazon’s own hosts are ECR', () => {
  expect(ecrOf(ECR_HOST)).toEqual({ account: '123456789012', region: 'eu-central-1' });
  expect(ecrOf('123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com')?.region).toBe('us-gov-west-1');
  expect(ecrOf('123456789012.dkr-ecr.us-west-2.on.aws')?.region).toBe('us-west-2');
  expect(ecrOf('123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn')?.region).toBe('cn-north-1');
  for (const host of [
    'public.ecr.aws',
    `${ECR_HOST}.evil.example`,
    `evil-${ECR_HOST}`,
    '12.dkr.ecr.eu-central-1.amazonaws.com',
    '123456789012.dkr.ecr.x.y.amazonaws.com',
  ])
    expect(ecrOf(host), host).toBeUndefined();
});
