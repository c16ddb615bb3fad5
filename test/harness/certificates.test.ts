import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { trusting } from '../../src/common/certificates.js';
import { Connections } from '../../src/common/network.js';
import { createAllowLists } from '../../src/config/allow-lists.js';
import { loadEnvironment } from '../../src/config/environment.js';
import type { HarnessClient } from '../../src/harness/client.js';
import { readImages } from '../../src/harness/images.js';
import { harnessAccess } from '../../src/worker/harness.js';
import { temporaryDirectory } from '../support/directory.js';
import { ACCOUNT, clientOf, failure, KEY, simulate } from '../support/harness.js';
import { type Authority, createAuthority, type IssueOptions } from '../support/tls.js';

let authority: Authority;
let other: Authority;
beforeAll(async () => {
  authority = await createAuthority();
  other = await createAuthority('another one');
});

/** A Harness of one's own, with a certificate of {@link authority}. */
const selfManaged = async ({ names = ['127.0.0.1'], ...more }: IssueOptions = {}) =>
  simulate({ tls: await authority.issue({ names, ...more }) });

/** As a worker and `doctor` have it, by their environment. */
async function clientOfEnvironment(gateway: string, authorities: string): Promise<HarnessClient> {
  const path = join(await temporaryDirectory(), 'authorities.pem');
  await writeFile(path, authorities);
  const environment = loadEnvironment({
    HARNESS_API_KEY: KEY,
    HARNESS_URL: gateway,
    EXTRA_CA_FILE: path,
  });
  const access = await harnessAccess(environment, createAllowLists(environment));
  onTestFinished(() => access.close());
  return access.client({ gateway, apiKeySecret: 'env:HARNESS_API_KEY', account: ACCOUNT });
}

async function clientThatTrusts(gateway: string, authorities: readonly Authority[]): Promise<HarnessClient> {
  const connections = new Connections(await trusting(authorities.map(({ certificate }) => certificate)));
  onTestFinished(() => connections.close());
  return clientOf({ url: gateway }, { graphql: true, connections });
}

describe('a self-managed Harness with a certificate of a private authority', () => {
  it('is asked by GraphQL and REST when EXTRA_CA_FILE has that authority', async () => {
    const simulator = await selfManaged();
    expect(simulator.url).toMatch(/^https:/);
    const client = await clientThatTrusts(simulator.url, [other, authority]);
    const read = () => readImages(client, { infra: ['K8'], sources: ['default'] });
    expect(await read()).toMatchObject({ answeredBy: 'REST' });
    simulator.state.graphqlHasImages = true;
    expect(await read()).toMatchObject({ answeredBy: 'GraphQL' });
    expect(await client.testConnector('account.private_registry')).toEqual({ ok: true });
  });

  it('is trusted by a worker and by doctor alike, by their environment', async () => {
    const { url } = await selfManaged();
    const client = await clientOfEnvironment(url, authority.certificate);
    expect(Object.keys(await client.defaultConfig('VM'))).toHaveLength(13);
    expect(await failure(clientOfEnvironment(url, 'no certificate'))).toMatchObject({
      type: 'InvalidInput',
      message: expect.stringMatching(/EXTRA_CA_FILE .*authorities\.pem holds no certificate/),
    });
  });

  it('is trusted through a proxy too', async () => {
    const simulator = await selfManaged({ names: ['harness.corp.example'] });
    const asked: string[] = [];
    const proxy = createServer();
    proxy.on('connect', (request, socket) => {
      asked.push(request.url ?? '');
      const through = connect(Number(new URL(simulator.url).port), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        socket.pipe(through).pipe(socket);
      });
      for (const end of [socket, through]) end.on('error', () => {});
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const address = proxy.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    vi.stubEnv('HTTPS_PROXY', `http://127.0.0.1:${address.port}`);
    onTestFinished(() => {
      vi.unstubAllEnvs();
      proxy.close();
    });
    const client = await clientThatTrusts('https://harness.corp.example/gateway', [authority]);
    expect(Object.keys(await client.defaultConfig('K8'))).toHaveLength(48);
    expect(new Set(asked)).toEqual(new Set(['harness.corp.example:443']));
    const stranger = await clientThatTrusts('https://harness.corp.example/gateway', [other]);
    expect(await failure(stranger.defaultConfig('K8'))).toMatchObject({ type: 'CertificateNotTrusted' });
  });

  it.each([
    ['no authority is given', {}, () => [], /not trusted here \(\w+\): give its authority in EXTRA_CA_FILE/],
    ['another is given', {}, () => [other], /not trusted here \(\w+\): give its authority in EXTRA_CA_FILE/],
    ['it has expired', { expired: true }, () => [authority], /expired: have it renewed/],
    ['it is for another host', { names: ['harness.corp'] }, () => [authority], /is for another host/],
  ] satisfies [string, IssueOptions, () => Authority[], RegExp][])(
    'is refused in one sentence, once, and sees no key when %s',
    async (_when, issued, authorities, says) => {
      const simulator = await selfManaged(issued);
      const client = await clientThatTrusts(simulator.url, authorities());
      const error = await failure(readImages(client, { infra: ['K8'], sources: ['default'] }));
      expect(error).toMatchObject({ type: 'CertificateNotTrusted', retryable: false });
      expect(String(error)).toMatch(says);
      expect(String(error)).toMatch(
        /^CertificateNotTrusted: Harness at 127\.0\.0\.1:\d+ could not be asked for the default images of K8: /,
      );
      expect(simulator.requests).toEqual([]);
    },
  );
});
