import { describe, expect, it } from 'vitest';
import { checkPullPath, pulledPath, valueFor } from '../../src/harness/pull-path.js';
import { formatReference, parseReference } from '../../src/registry/reference.js';
import { failure } from '../support/harness.js';

const docker = (url: string | null) => ({ type: 'DockerRegistry', url });
const target = (text: string) => formatReference(parseReference(text));
const IMAGE = 'harness/ci-addon:1.16';

// connector URL (or type), registry that we push to, style of values → what Harness pulls, and whether that is ours.
type Case = [url: string, registry: string, style: 'qualified' | 'relative', pulled: string, right: boolean];
const HOST = 'registry.example.com';
const cases: Case[] = [
  [`https://${HOST}`, HOST, 'qualified', `${HOST}/${IMAGE}`, true],
  [`https://${HOST}`, HOST, 'relative', `${HOST}/${IMAGE}`, true],
  [`https://${HOST}/`, HOST, 'relative', `${HOST}/${IMAGE}`, true],
  [`https://${HOST}/`, HOST, 'qualified', `${HOST}/${IMAGE}`, true],
  [`http://${HOST}`, HOST, 'relative', `${HOST}/${IMAGE}`, true],
  // a prefix on our side
  [`https://${HOST}`, `${HOST}/ci`, 'qualified', `${HOST}/ci/${IMAGE}`, true],
  [`https://${HOST}`, `${HOST}/ci`, 'relative', `${HOST}/${IMAGE}`, false],
  // a prefix on both sides
  [`https://${HOST}/ci`, `${HOST}/ci`, 'qualified', `${HOST}/ci/${IMAGE}`, true],
  [`https://${HOST}/ci`, `${HOST}/ci`, 'relative', `${HOST}/ci/${IMAGE}`, true],
  [`https://${HOST}/ci/`, `${HOST}/ci`, 'relative', `${HOST}/ci/${IMAGE}`, true],
  [`https://${HOST}/a/b`, `${HOST}/a/b`, 'relative', `${HOST}/a/b/${IMAGE}`, true],
  // another prefix than ours, or one on the connector's side alone
  [`https://${HOST}/other`, `${HOST}/ci`, 'qualified', `${HOST}/ci/${IMAGE}`, true],
  [`https://${HOST}/other`, `${HOST}/ci`, 'relative', `${HOST}/other/${IMAGE}`, false],
  [`https://${HOST}/ci`, HOST, 'relative', `${HOST}/ci/${IMAGE}`, false],
  [`https://${HOST}/v2/`, HOST, 'relative', `${HOST}/v2/${IMAGE}`, false],
  // another host: a qualified value is doubled
  ['https://other.example.com', HOST, 'qualified', `other.example.com/${HOST}/${IMAGE}`, false],
  ['https://other.example.com', HOST, 'relative', `other.example.com/${IMAGE}`, false],
  // ports
  [`https://${HOST}:5000`, `${HOST}:5000`, 'qualified', `${HOST}:5000/${IMAGE}`, true],
  [`https://${HOST}:5000/ci`, `${HOST}:5000/ci`, 'relative', `${HOST}:5000/ci/${IMAGE}`, true],
  [`https://${HOST}:5000`, HOST, 'qualified', `${HOST}:5000/${HOST}/${IMAGE}`, false],
  [`https://${HOST}`, `${HOST}:5000`, 'qualified', `${HOST}:5000/${IMAGE}`, true],
  [`https://${HOST}`, `${HOST}:5000`, 'relative', `${HOST}/${IMAGE}`, false],
  [`https://${HOST}:443`, HOST, 'qualified', `${HOST}:443/${HOST}/${IMAGE}`, false],
  ['http://localhost:5000', 'localhost:5000', 'relative', `localhost:5000/${IMAGE}`, true],
  // the comparison in Harness is by letter, a registry's name is not
  ['https://Registry.Example.com', HOST, 'qualified', `Registry.Example.com/${HOST}/${IMAGE}`, false],
  ['https://Registry.Example.com', HOST, 'relative', `Registry.Example.com/${IMAGE}`, true],
  // Docker Hub's connector
  ['https://index.docker.io/v2/', HOST, 'qualified', `index.docker.io/v2/${HOST}/${IMAGE}`, false],
  ['https://index.docker.io/v2/', HOST, 'relative', `index.docker.io/v2/${IMAGE}`, false],
  ['https://index.docker.io', 'docker.io/acme', 'relative', `index.docker.io/${IMAGE}`, false],
  ['https://docker.io/acme', 'docker.io/acme', 'relative', `docker.io/acme/${IMAGE}`, true],
];

describe('what Harness pulls', () => {
  it.each(cases)('connector %s, pushed to %s, %s values: %s', (url, registry, style, pulled, right) => {
    const image = target(`${registry}/${IMAGE}`);
    const connector = docker(url);
    const value = valueFor(image, style, registry);
    expect(pulledPath({ connector, value })).toBe(pulled);
    const fault = checkPullPath({ connector, value, target: image, registry });
    if (right) expect(fault).toBeUndefined();
    else expect(fault).toContain(`would pull ${pulled}, but the image was pushed to ${image}: set `);
  });

  it.each(['Aws', 'Gcp', 'Nexus'])('through a %s connector is the value as it is', (type) => {
    const connector = { type, url: null };
    const image = target(`${HOST}/ci/${IMAGE}`);
    expect(checkPullPath({ connector, value: image, target: image, registry: `${HOST}/ci` })).toBeUndefined();
    expect(pulledPath({ connector, value: IMAGE })).toBe(IMAGE);
    expect(checkPullPath({ connector, value: IMAGE, target: image, registry: `${HOST}/ci` })).toContain(
      'set valueStyle to qualified',
    );
  });

  it('is mended by the other style where that is enough, else by the connector', () => {
    const registry = `${HOST}/ci`;
    const image = target(`${registry}/${IMAGE}`);
    const check = (url: string, value: string) =>
      checkPullPath({ connector: docker(url), value, target: image, registry });
    expect(check(`https://${HOST}`, IMAGE)).toContain('set valueStyle to qualified');
    expect(check('https://Registry.Example.com/ci', image)).toContain('set valueStyle to relative');
    expect(check('https://other.example.com', image)).toContain(
      "set the connector's URL to https://registry.example.com/ci instead of https://other.example.com",
    );
  });

  it.each([null, '', HOST, 'https://'])(
    'can not be told of a Docker connector with the URL %j',
    async (url) => {
      const error = await failure(
        Promise.resolve().then(() => pulledPath({ connector: docker(url), value: IMAGE })),
      );
      expect(error).toMatchObject({ type: 'ConnectorUnusable' });
    },
  );

  it('is never by digest', async () => {
    const image = target(`${HOST}/${IMAGE}@sha256:${'a'.repeat(64)}`);
    const error = await failure(Promise.resolve().then(() => valueFor(image, 'qualified', HOST)));
    expect(error).toMatchObject({ type: 'InvalidInput' });
  });
});
