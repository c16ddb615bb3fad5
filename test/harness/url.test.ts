import { describe, expect, it } from 'vitest';
import { loadEnvironment } from '../../src/config/environment.js';
import { resolveHarnessTarget } from '../../src/config/harness-target.js';
import { accountOf, namesGraphql, normaliseGateway } from '../../src/harness/url.js';
import { failure, KEY } from '../support/harness.js';

const refused = async (text: string): Promise<string> => {
  const error = await failure(Promise.resolve().then(() => normaliseGateway(text)));
  expect(error).toMatchObject({ type: 'InvalidInput' });
  return String(error);
};

/** Given, the gateway that it means, and whether GraphQL is asked first. */
type Row = [given: string, gateway: string, graphql?: 'graphql'];
const APP = 'https://app.harness.io/gateway';

describe('a Harness URL', () => {
  it.each<Row>([
    // a host alone, however it is written
    ['app.harness.io', APP],
    ['app.harness.io/', APP],
    ['https://app.harness.io', APP],
    ['https://app.harness.io/', APP],
    ['https://app.harness.io///', APP],
    ['  HTTPS://App.Harness.io\n', APP],
    ['https://app.harness.io:443', APP],
    // the gateway, and what lies below it
    ['app.harness.io/gateway', APP],
    ['https://app.harness.io/gateway', APP],
    ['https://app.harness.io/gateway//', APP],
    ['https://app.harness.io//gateway', APP],
    ['https://app.harness.io/gateway/ng/api', APP],
    ['https://app.harness.io/gateway/ci/execution-config/get-default-config', APP],
    // GraphQL
    ['https://app.harness.io/gateway/api/graphql', APP, 'graphql'],
    ['https://app.harness.io/gateway/api/graphql/', APP, 'graphql'],
    ['https://app.harness.io/api/graphql', APP, 'graphql'],
    ['https://app.harness.io/graphql', APP, 'graphql'],
    ['app.harness.io/gateway/api/graphql', APP, 'graphql'],
    // a page of the UI
    ['https://app.harness.io/ng/account/AbC/module/ci/home/overview', APP],
    ['https://corp.example/harness/ng/account/AbC/main-dashboard', 'https://corp.example/harness/gateway'],
    // other clusters and hosts of one's own
    ['https://app3.harness.io/gateway', 'https://app3.harness.io/gateway'],
    ['harness.corp:8443', 'https://harness.corp:8443/gateway'],
    ['https://harness.corp:8443/gateway/api/graphql', 'https://harness.corp:8443/gateway', 'graphql'],
    ['https://10.1.2.3', 'https://10.1.2.3/gateway'],
    ['https://[2001:db8::1]:8443/', 'https://[2001:db8::1]:8443/gateway'],
    // below a path
    ['https://corp.example/harness', 'https://corp.example/harness/gateway'],
    ['https://corp.example/harness/', 'https://corp.example/harness/gateway'],
    ['https://corp.example/a/b/gateway', 'https://corp.example/a/b/gateway'],
    ['https://corp.example/harness/gateway/api/graphql', 'https://corp.example/harness/gateway', 'graphql'],
    ['https://corp.example/harness/api/graphql', 'https://corp.example/harness/gateway', 'graphql'],
    ['https://corp.example/gateway/harness/gateway', 'https://corp.example/gateway/harness/gateway'],
    ['https://corp.example/gateways', 'https://corp.example/gateways/gateway'],
    // plain HTTP on this machine
    ['http://127.0.0.1:7457', 'http://127.0.0.1:7457/gateway'],
    ['http://127.9.9.9/gateway/api/graphql', 'http://127.9.9.9/gateway', 'graphql'],
    ['http://localhost:7457/gateway', 'http://localhost:7457/gateway'],
    ['http://harness.localhost:7457', 'http://harness.localhost:7457/gateway'],
    ['http://[::1]:7457', 'http://[::1]:7457/gateway'],
  ])('%j means %s %s', (given, gateway, graphql) => {
    expect(normaliseGateway(given)).toBe(gateway);
    expect(namesGraphql(given)).toBe(graphql === 'graphql');
    expect(normaliseGateway(gateway)).toBe(gateway);
  });

  it.each([
    ['http://app.harness.io', 'plain HTTP'],
    ['http://127.0.0.1.evil.example', 'plain HTTP'],
    ['http://localhost.evil.example', 'plain HTTP'],
    ['http://10.1.2.3', 'plain HTTP'],
    ['ftp://app.harness.io', 'neither'],
    ['https://app.harness.io/?accountId=x', 'query'],
    ['https://app.harness.io/gateway/api/graphql?accountId=x', 'query'],
    ['https://app.harness.io/#/account', 'fragment'],
    ['harness.corp:99999', 'cannot be read'],
    ['', 'cannot be read'],
    ['https://', 'cannot be read'],
    ['not a host', 'cannot be read'],
  ])('%j is refused: %s', async (text, why) => {
    expect(await refused(text)).toContain(why);
  });

  it('with credentials is refused without echoing them', async () => {
    const message = await refused('https://robot:canary@app.harness.io');
    expect(message).toContain('credentials');
    expect(message).not.toMatch(/canary|robot/);
  });
});

describe('a worker', () => {
  const ask = (harnessUrl: string, allowed?: string) =>
    resolveHarnessTarget(
      { harnessUrl },
      loadEnvironment({
        HARNESS_API_KEY: KEY,
        ...(allowed === undefined ? {} : { ALLOWED_HARNESS_HOSTS: allowed }),
      }),
    );

  it.each([
    ['https://app.harness.io', undefined],
    ['https://harness.corp:8443/gateway/api/graphql', 'harness.corp:8443'],
    ['http://harness.corp', 'http://harness.corp'],
    ['http://127.0.0.1:7457', '127.0.0.1:7457'],
  ])('asks %s with the allow-list %s', async (url, allowed) => {
    expect(await ask(url, allowed)).toMatchObject({ gateway: normaliseGateway(url, { allowPlain: true }) });
  });

  it.each([
    ['https://evil.example', undefined, 'NotAllowed'],
    ['https://app.harness.io.evil.example/gateway', undefined, 'NotAllowed'],
    ['https://app.harness.io:8443', undefined, 'NotAllowed'],
    ['https://app.harness.io@evil.example', undefined, 'InvalidInput'],
    ['http://app.harness.io', undefined, 'NotAllowed'],
    ['http://harness.corp', 'harness.corp', 'NotAllowed'],
    ['https://harness.corp:8443', 'harness.corp', 'NotAllowed'],
  ])('does not ask %s with the allow-list %s: %s', async (url, allowed, type) => {
    expect(await failure(ask(url, allowed))).toMatchObject({ type });
  });
});

describe('the account of a key', () => {
  it.each([
    ['pat.AbC-1_2.token.secret', 'AbC-1_2'],
    ['sat.acc.token.secret\n', 'acc'],
    ['pat.acc', undefined],
    ['key', undefined],
    ['', undefined],
  ])('%j → %s', (key, account) => {
    expect(accountOf(key)).toBe(account);
  });
});
