import { describe, expect, it } from 'vitest';
import { accountOf, normaliseGateway } from '../../src/harness/url.js';
import { failure } from '../support/harness.js';

const refused = async (text: string): Promise<string> => {
  const error = await failure(Promise.resolve().then(() => normaliseGateway(text)));
  expect(error).toMatchObject({ type: 'InvalidInput' });
  return String(error);
};

describe('a Harness URL', () => {
  it.each([
    ['app.harness.io', 'https://app.harness.io/gateway'],
    ['https://app.harness.io', 'https://app.harness.io/gateway'],
    ['https://app.harness.io/', 'https://app.harness.io/gateway'],
    ['https://app.harness.io/gateway', 'https://app.harness.io/gateway'],
    ['https://app.harness.io/gateway//', 'https://app.harness.io/gateway'],
    ['https://app.harness.io/gateway/api/graphql', 'https://app.harness.io/gateway'],
    ['https://app.harness.io/gateway/api/graphql/', 'https://app.harness.io/gateway'],
    ['https://app.harness.io/api/graphql', 'https://app.harness.io/gateway'],
    ['  HTTPS://App.Harness.io/gateway ', 'https://app.harness.io/gateway'],
    ['app.harness.io/gateway', 'https://app.harness.io/gateway'],
    ['harness.corp:8443', 'https://harness.corp:8443/gateway'],
    ['https://harness.corp:8443/gateway/ng/api', 'https://harness.corp:8443/gateway'],
    ['https://corp.example/harness/gateway/api/graphql', 'https://corp.example/harness/gateway'],
    ['https://corp.example/harness/', 'https://corp.example/harness/gateway'],
    ['http://127.0.0.1:7457', 'http://127.0.0.1:7457/gateway'],
    ['http://localhost:7457/gateway', 'http://localhost:7457/gateway'],
    ['http://[::1]:7457', 'http://[::1]:7457/gateway'],
  ])('%j means the gateway %s', (text, gateway) => {
    expect(normaliseGateway(text)).toBe(gateway);
  });

  it.each([
    ['http://app.harness.io', 'plain HTTP'],
    ['http://127.0.0.1.evil.example', 'plain HTTP'],
    ['http://localhost.evil.example', 'plain HTTP'],
    ['ftp://app.harness.io', 'neither'],
    ['https://app.harness.io/?accountId=x', 'query'],
    ['https://app.harness.io/#/account', 'fragment'],
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

  it('may be plain HTTP elsewhere only when the worker allows that', () => {
    expect(normaliseGateway('http://sim:80', { allowPlain: true })).toBe('http://sim/gateway');
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
