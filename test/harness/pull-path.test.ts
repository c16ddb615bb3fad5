import { describe, expect, it } from 'vitest';
import { checkAccount } from '../../src/harness/account-check.js';
import { checkPullPath, pulledPath, type ValueStyle, valueFor } from '../../src/harness/pull-path.js';
import { formatReference, parseReference } from '../../src/registry/reference.js';
import { clientOf, failure, simulate } from '../support/harness.js';

const IMAGE = 'harness/ci-addon:1.16';
const HOST = 'registry.example.com';
const ECR = '123456789012.dkr.ecr.eu-west-1.amazonaws.com';
const GAR = 'europe-docker.pkg.dev/acme-prod/ci';
const ACR = 'acme.azurecr.io';

/** How a mismatch is mended, when there is one: by the other style of values, or by another URL of the connector. */
type Verdict = 'allowed' | 'qualified' | 'relative' | 'url';
/** Connector's URL; registry that we push to; style of values; what Harness puts before the image; verdict. */
type Row = [url: string, registry: string, style: ValueStyle, pulled: string, verdict: Verdict];

const ROWS: Row[] = [
  // the host alone, on both sides
  [`https://${HOST}`, HOST, 'qualified', HOST, 'allowed'],
  [`https://${HOST}`, HOST, 'relative', HOST, 'allowed'],
  [`https://${HOST}/`, HOST, 'qualified', HOST, 'allowed'],
  [`https://${HOST}/`, HOST, 'relative', HOST, 'allowed'],
  [`http://${HOST}`, HOST, 'qualified', HOST, 'allowed'],
  [`http://${HOST}`, HOST, 'relative', HOST, 'allowed'],
  [`HTTPS://${HOST}`, HOST, 'relative', HOST, 'allowed'],
  [`https://robot@${HOST}`, HOST, 'relative', HOST, 'allowed'],
  // a prefix on our side only
  [`https://${HOST}`, `${HOST}/ci`, 'qualified', `${HOST}/ci`, 'allowed'],
  [`https://${HOST}`, `${HOST}/ci`, 'relative', HOST, 'qualified'],
  // the same prefix on both sides
  [`https://${HOST}/ci`, `${HOST}/ci`, 'qualified', `${HOST}/ci`, 'allowed'],
  [`https://${HOST}/ci`, `${HOST}/ci`, 'relative', `${HOST}/ci`, 'allowed'],
  [`https://${HOST}/ci/`, `${HOST}/ci`, 'relative', `${HOST}/ci`, 'allowed'],
  [`https://${HOST}/a/b`, `${HOST}/a/b`, 'qualified', `${HOST}/a/b`, 'allowed'],
  [`https://${HOST}/a/b`, `${HOST}/a/b`, 'relative', `${HOST}/a/b`, 'allowed'],
  // another prefix than ours, a shorter one, a longer one, or one on the connector's side only
  [`https://${HOST}/other`, `${HOST}/ci`, 'qualified', `${HOST}/ci`, 'allowed'],
  [`https://${HOST}/other`, `${HOST}/ci`, 'relative', `${HOST}/other`, 'qualified'],
  [`https://${HOST}/a`, `${HOST}/a/b`, 'relative', `${HOST}/a`, 'qualified'],
  [`https://${HOST}/a/b`, `${HOST}/a`, 'relative', `${HOST}/a/b`, 'qualified'],
  [`https://${HOST}/ci`, HOST, 'relative', `${HOST}/ci`, 'qualified'],
  [`https://${HOST}/v2/`, HOST, 'qualified', HOST, 'allowed'],
  [`https://${HOST}/v2/`, HOST, 'relative', `${HOST}/v2`, 'qualified'],
  // another host: a qualified value gets two hosts
  ['https://other.example.com', HOST, 'qualified', `other.example.com/${HOST}`, 'url'],
  ['https://other.example.com', HOST, 'relative', 'other.example.com', 'url'],
  ['https://other.example.com/ci', `${HOST}/ci`, 'qualified', `other.example.com/ci/${HOST}/ci`, 'url'],
  // Harness looks for the connector's host anywhere in the value
  ['https://example.com', HOST, 'qualified', HOST, 'allowed'],
  ['https://example.com', HOST, 'relative', 'example.com', 'qualified'],
  // ports
  [`https://${HOST}:5000`, `${HOST}:5000`, 'qualified', `${HOST}:5000`, 'allowed'],
  [`https://${HOST}:5000`, `${HOST}:5000`, 'relative', `${HOST}:5000`, 'allowed'],
  [`https://${HOST}:5000/ci`, `${HOST}:5000/ci`, 'relative', `${HOST}:5000/ci`, 'allowed'],
  [`https://${HOST}:5000`, HOST, 'qualified', `${HOST}:5000/${HOST}`, 'url'],
  [`https://${HOST}:5000`, HOST, 'relative', `${HOST}:5000`, 'url'],
  [`https://${HOST}`, `${HOST}:5000`, 'qualified', `${HOST}:5000`, 'allowed'],
  [`https://${HOST}`, `${HOST}:5000`, 'relative', HOST, 'qualified'],
  [`https://${HOST}:443`, HOST, 'qualified', `${HOST}:443/${HOST}`, 'url'],
  ['http://localhost:5000', 'localhost:5000', 'qualified', 'localhost:5000', 'allowed'],
  ['http://localhost:5000', 'localhost:5000', 'relative', 'localhost:5000', 'allowed'],
  // Harness compares letter by letter, a registry's name has no case
  ['https://Registry.Example.com', HOST, 'qualified', `Registry.Example.com/${HOST}`, 'relative'],
  ['https://Registry.Example.com', HOST, 'relative', 'Registry.Example.com', 'allowed'],
  // Docker Hub's connector leaves values as they are
  ['https://index.docker.io/v1/', HOST, 'qualified', HOST, 'allowed'],
  ['https://index.docker.io/v1/', `${HOST}/ci`, 'qualified', `${HOST}/ci`, 'allowed'],
  ['https://index.docker.io/v1/', HOST, 'relative', '', 'qualified'],
  ['https://index.docker.io/v2/', `${HOST}:5000`, 'qualified', `${HOST}:5000`, 'allowed'],
  ['https://index.docker.io/v2/', 'docker.io/acme', 'qualified', 'docker.io/acme', 'allowed'],
  ['https://index.docker.io/v2/', 'docker.io/acme', 'relative', '', 'qualified'],
  ['https://index.docker.io', 'docker.io/acme', 'qualified', 'docker.io/acme', 'allowed'],
  ['https://registry.hub.docker.com', 'docker.io/acme', 'qualified', 'docker.io/acme', 'allowed'],
  ['https://registry.hub.docker.com/', HOST, 'relative', '', 'qualified'],
  ['https://docker.io/acme', 'docker.io/acme', 'relative', 'docker.io/acme', 'allowed'],
  // clouds
  [`https://${ECR}`, ECR, 'qualified', ECR, 'allowed'],
  [`https://${ECR}`, ECR, 'relative', ECR, 'allowed'],
  [`https://${ECR}`, `${ECR}/ci`, 'qualified', `${ECR}/ci`, 'allowed'],
  [`https://${ECR}/ci`, `${ECR}/ci`, 'relative', `${ECR}/ci`, 'allowed'],
  [
    `https://${ECR.replace('eu-west-1', 'us-east-1')}`,
    `${ECR}/ci`,
    'relative',
    ECR.replace('eu-west-1', 'us-east-1'),
    'url',
  ],
  [`https://${GAR}`, GAR, 'qualified', GAR, 'allowed'],
  [`https://${GAR}`, GAR, 'relative', GAR, 'allowed'],
  ['https://europe-docker.pkg.dev', GAR, 'qualified', GAR, 'allowed'],
  ['https://europe-docker.pkg.dev', GAR, 'relative', 'europe-docker.pkg.dev', 'qualified'],
  [
    `https://us-docker.pkg.dev/acme-prod/ci`,
    GAR,
    'qualified',
    `us-docker.pkg.dev/acme-prod/ci/${GAR}`,
    'url',
  ],
  [`https://${ACR}`, `${ACR}/ci`, 'qualified', `${ACR}/ci`, 'allowed'],
  [`https://${ACR}/ci`, `${ACR}/ci`, 'relative', `${ACR}/ci`, 'allowed'],
];

const target = (text: string) => formatReference(parseReference(text));
const docker = (url: string | null) => ({ type: 'DockerRegistry', url });

/** The check before an update, through client and simulator. */
async function checked(connector: object, registry: string, style: ValueStyle, id = 'account.images') {
  const simulator = await simulate({ connectors: [{ identifier: 'images', ...connector }] });
  const image = target(`${registry}/${IMAGE}`);
  const updates = [{ field: 'addonTag', value: valueFor(image, style, registry), target: image }];
  return checkAccount({ client: clientOf(simulator) }, { connector: id, registry, updates });
}

describe('what Harness pulls', () => {
  it.each(ROWS)('through %s of a copy in %s, as a %s value: %s/… (%s)', async (...row) => {
    const [url, registry, style, before, verdict] = row;
    const image = target(`${registry}/${IMAGE}`);
    const pulled = before === '' ? IMAGE : `${before}/${IMAGE}`;
    expect(pulledPath({ connector: docker(url), value: valueFor(image, style, registry) })).toBe(pulled);

    const check = checked({ dockerRegistryUrl: url }, registry, style);
    if (verdict === 'allowed') return check;
    const mend =
      verdict === 'url'
        ? `set the connector's URL to https://${registry} instead of ${url}`
        : `set valueStyle to ${verdict}`;
    expect(await failure(check)).toMatchObject({
      type: 'PullPathMismatch',
      retryable: false,
      message: `addonTag: Harness would pull ${pulled}, but the image was pushed to ${image}: ${mend}.`,
    });
  });
});

describe('a connector can not be used', () => {
  const good = { dockerRegistryUrl: `https://${HOST}` };
  it.each<[string, object, string, RegExp]>([
    [
      'that is not there',
      good,
      'account.other',
      /other.* not found.* Create it in the account or name another/,
    ],
    ['of an organisation', good, 'org.images', /belongs to an organisation.* write it as account\.<id>/],
    ['of a project', good, 'images', /belongs to a project.* write it as account\.<id>/],
    ['of nothing', good, 'account.', /is no connector of the account/],
    [
      'whose test fails',
      { ...good, testFailure: 'Unauthorized' },
      'account.images',
      /test fails .*Unauthorized/,
    ],
    ['without a URL', { spec: {} }, 'account.images', /URL "" cannot be read; write it like https/],
    [
      'whose URL has no scheme',
      { dockerRegistryUrl: HOST },
      'account.images',
      /"registry.example.com" cannot be/,
    ],
    [
      'whose URL has no host',
      { dockerRegistryUrl: 'https://' },
      'account.images',
      /URL "https:\/\/" cannot be/,
    ],
    ['of AWS', { type: 'Aws', spec: {} }, 'account.images', /type Aws and not a Docker registry's/],
    ['of GCP', { type: 'Gcp', spec: {} }, 'account.images', /type Gcp and not/],
    ['of Azure', { type: 'Azure', spec: {} }, 'account.images', /type Azure and not/],
    ['of Artifactory', { type: 'Artifactory', spec: {} }, 'account.images', /type Artifactory and not/],
    ['of Nexus', { type: 'Nexus', spec: {} }, 'account.images', /type Nexus and not/],
  ])('%s', async (_what, connector, id, says) => {
    for (const style of ['qualified', 'relative'] as const) {
      expect(await failure(checked(connector, HOST, style, id))).toMatchObject({
        type: 'ConnectorUnusable',
        retryable: false,
        message: expect.stringMatching(says),
      });
    }
  });

  it('through which Harness takes the value as it is, and the wrong path is named too', async () => {
    const check = checked({ type: 'Aws', spec: {} }, HOST, 'relative');
    expect(String(await failure(check))).toContain(
      `addonTag: Harness would pull ${IMAGE}, but the image was pushed to ${HOST}/${IMAGE}: set valueStyle to qualified`,
    );
  });
});

describe('a value', () => {
  it('is never by digest', async () => {
    const image = target(`${HOST}/${IMAGE}@sha256:${'a'.repeat(64)}`);
    const error = await failure(Promise.resolve().then(() => valueFor(image, 'qualified', HOST)));
    expect(error).toMatchObject({ type: 'InvalidInput' });
  });

  it('that is no reference at all is no match', () => {
    const image = target(`${HOST}/${IMAGE}`);
    const check = { connector: docker(`https://${HOST}`), target: image, registry: HOST };
    expect(checkPullPath({ ...check, value: `${HOST}//${IMAGE}` })).toContain('would pull');
  });
});
