import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Fault } from '../../src/demo/harness-simulator/index.js';
import { accountConnectorId } from '../../src/harness/connector-id.js';
import { HarnessFieldRejected } from '../../src/harness/errors.js';
import {
  ACCOUNT,
  clientOf,
  closedGateway,
  EXPIRED_KEY,
  failure,
  KEY,
  READ_ONLY_KEY,
  simulate,
} from '../support/harness.js';

const html = (title: string) => `<!DOCTYPE html><html><head><title>${title}</title></head></html>`;

/** What the client makes of one bad answer. */
async function answeredWith(how: Fault['how'], options = {}): Promise<unknown> {
  const simulator = await simulate();
  simulator.fail({ how });
  return failure(clientOf(simulator, options).defaultConfig('K8'));
}
const bad = (status: number, body?: string, headers?: Record<string, string>) =>
  answeredWith({
    kind: 'answer',
    status,
    ...(body === undefined ? {} : { body }),
    ...(headers ? { headers } : {}),
  });

describe('the client', () => {
  it('works with a read-only key as long as it only reads', async () => {
    const client = clientOf(await simulate(), { apiKey: READ_ONLY_KEY });
    expect(await client.customerConfig('VM', { overridesOnly: true })).toEqual({});
    const error = await failure(client.updateConfig('K8', [{ field: 'addonTag', value: 'a/b:1' }]));
    expect(error).toMatchObject({
      type: 'HarnessForbidden',
      message: expect.stringContaining('to edit the account (core_account_edit)'),
    });
  });

  it('names the view permission when that is what lacks', async () => {
    const body = { code: 'NG_ACCESS_DENIED', failedPermissionChecks: [{ permission: 'core_account_view' }] };
    expect(await bad(403, JSON.stringify(body))).toMatchObject({
      type: 'HarnessForbidden',
      message: expect.stringContaining('to view the account (core_account_view)'),
    });
  });

  it('tells an expired key from a wrong one, and what to do', async () => {
    const simulator = await simulate();
    const expired = await failure(clientOf(simulator, { apiKey: EXPIRED_KEY }).defaultConfig('K8'));
    expect(expired).toMatchObject({
      type: 'HarnessUnauthorized',
      message: expect.stringMatching(/expired \(EXPIRED_TOKEN\): create a new one/),
    });
    const wrong = await failure(clientOf(simulator, { apiKey: 'pat.a.b.c' }).defaultConfig('K8'));
    expect(wrong).toMatchObject({ message: expect.stringMatching(/not valid \(INVALID_TOKEN\): check/) });
  });

  it('does not send a key that cannot be one', async () => {
    const simulator = await simulate();
    const error = await failure(clientOf(simulator, { apiKey: `${KEY}\nx: y` }).defaultConfig('K8'));
    expect(error).toMatchObject({ type: 'HarnessUnauthorized' });
    expect(String(error)).not.toContain('canary');
    expect(simulator.requests).toEqual([]);
  });

  it.each([false, true])(
    'gives the rejected field, in both shapes of a 400 (plain: %s)',
    async (plainErrors) => {
      const simulator = await simulate();
      simulator.state.plainErrors = plainErrors;
      const error = await failure(
        clientOf(simulator).updateConfig('K8', [
          { field: 'addonTag', value: 'a/b:1' },
          { field: 'noSuchTag', value: 'a/b:1' },
        ]),
      );
      expect(error).toBeInstanceOf(HarnessFieldRejected);
      expect(error).toMatchObject({ type: 'HarnessRejected', field: 'noSuchTag', retryable: false });
      expect(String(error)).toContain('Field noSuchTag does not exist for infra type: K8');
      expect(simulator.state.overrides.K8).toEqual({});
    },
  );

  it('waits as long as a 429 says, and a minute when it says nothing', async () => {
    expect(await bad(429, 'slow down')).toMatchObject({ type: 'HarnessRateLimited', retryAfterMs: 60_000 });
    expect(await bad(429, html('no'), { 'retry-after': '7' })).toMatchObject({ retryAfterMs: 7_000 });
    expect(await bad(429, '', { 'retry-after': '99999999' })).toMatchObject({ retryAfterMs: 3_600_000 });
    expect(await bad(429, '', { 'retry-after': 'soon' })).toMatchObject({ retryAfterMs: 60_000 });
  });

  it.each([500, 502, 503, 504])('takes a %i for a passing trouble, whatever its body', async (status) => {
    const error = await bad(status, html('Bad gateway'), { 'retry-after': '3' });
    expect(error).toMatchObject({ type: 'HarnessUnavailable', retryable: true, retryAfterMs: 3_000 });
    expect(String(error)).toContain('Bad gateway');
  });

  it.each([200, 401, 403, 404])('says so when a proxy answers %i with a page of its own', async (status) => {
    const error = await bad(status, html('Corporate login'));
    expect(error).toMatchObject({ type: 'HarnessBadAnswer' });
    expect(String(error)).toMatch(/HTML page titled "Corporate login" .* check the Harness URL/);
  });

  it('leaves out a title that is long', async () => {
    expect(String(await bad(200, html('x'.repeat(500))))).toContain('with an HTML page (HTTP 200)');
  });

  it('refuses to follow a redirect, since the key would go along', async () => {
    const elsewhere = await simulate();
    const error = await bad(302, '', { location: `${elsewhere.url}/sso?state=signed` });
    expect(error).toMatchObject({ type: 'HarnessBadAnswer' });
    expect(String(error)).toMatch(/redirect to http:\/\/127.0.0.1:\d+, .*check the Harness URL/);
    expect(String(error)).not.toContain('signed');
    expect(elsewhere.requests).toEqual([]);
  });

  it.each([
    ['half a body', { kind: 'half' }],
    ['JSON cut short', { kind: 'answer', status: 200, body: '{"status":"SUCCESS","data":{"addonTag":"ha' }],
    ['nothing', { kind: 'answer', status: 200 }],
    [
      'a number for a field',
      { kind: 'answer', status: 200, body: '{"status":"SUCCESS","data":{"addonTag":1}}' },
    ],
    ['no data', { kind: 'answer', status: 200, body: '{"status":"SUCCESS"}' }],
    ['text where nothing of Harness is', { kind: 'answer', status: 404, body: 'default backend - 404' }],
    ['2 MiB', { kind: 'answer', status: 200, body: `{"data":{"a":"${'x'.repeat(2 << 20)}"}}` }],
  ] satisfies [string, Fault['how']][])('does not take %s for an answer', async (_what, how) => {
    const error = await answeredWith(how);
    expect(error).toMatchObject({ type: 'HarnessBadAnswer', retryable: true });
    expect(String(error).length).toBeLessThan(500);
  });

  it('takes a refusal under HTTP 200 for a refusal', async () => {
    const body = JSON.stringify({ status: 'ERROR', code: 'INVALID_REQUEST', message: 'No such thing.' });
    expect(await bad(200, body)).toMatchObject({ type: 'HarnessRejected' });
  });

  it('takes lost connections and silence for a passing trouble', async () => {
    expect(await answeredWith({ kind: 'reset' })).toMatchObject({ type: 'HarnessUnavailable' });
    const silent = await answeredWith({ kind: 'hang' }, { timeoutMs: 200 });
    expect(silent).toMatchObject({ type: 'HarnessUnavailable' });
    expect(String(silent)).toContain('no answer within 0.2 s');
    const error = await failure(clientOf(await closedGateway()).defaultConfig('K8'));
    expect(error).toMatchObject({
      type: 'HarnessUnavailable',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('stops with the reason of its signal', async () => {
    const simulator = await simulate();
    simulator.fail({ how: { kind: 'hang' } });
    const controller = new AbortController();
    const call = failure(clientOf(simulator).defaultConfig('K8', controller.signal));
    const why = new Error('cancelled');
    controller.abort(why);
    expect(await call).toBe(why);
  });

  it('cleans what it repeats: no key, no control characters, no endless text', async () => {
    const said = `echo ${KEY} pat.other.id.secret \u001b[31mred\u202e\nnext line ${'y'.repeat(5000)}`;
    const error = String(await bad(400, JSON.stringify({ code: 'X', message: said })));
    expect(error).toContain('echo [key] [key] [31mred next line');
    expect(error).not.toMatch(/canary|secret|\p{Cc}|\p{Cf}/u);
    expect(error.length).toBeLessThan(400);
  });

  it('asks with the account and the infra in upper case, and never deletes', async () => {
    const simulator = await simulate();
    const client = clientOf(simulator);
    await client.defaultConfig('VM');
    await client.customerConfig('K8', { overridesOnly: false });
    await client.connector('account.private_registry');
    await client.updateConfig('K8', []);
    expect(simulator.requests.map(({ method, query }) => ({ method, ...query }))).toEqual([
      { method: 'GET', accountIdentifier: ACCOUNT, infra: 'VM' },
      { method: 'GET', accountIdentifier: ACCOUNT, infra: 'K8', overridesOnly: 'false' },
      { method: 'GET', accountIdentifier: ACCOUNT },
    ]);
  });
});

describe('a connector', () => {
  it('has a minute for its test, since a delegate may have to make it, and 20 s for a question', async () => {
    const client = clientOf(await simulate());
    const limit = vi.spyOn(AbortSignal, 'timeout');
    onTestFinished(() => limit.mockRestore());
    expect(await client.testConnector('account.private_registry')).toEqual({ ok: true });
    await client.connector('account.private_registry');
    expect(limit.mock.calls).toEqual([[60_000], [20_000]]);
  });

  it('whose test takes longer than that is a passing trouble', async () => {
    const simulator = await simulate();
    simulator.fail({ path: 'testConnection', how: { kind: 'hang' } });
    const client = clientOf(simulator, { connectorTestMs: 200 });
    expect(await failure(client.testConnector('account.private_registry'))).toMatchObject({
      type: 'HarnessUnavailable',
      retryable: true,
      message: expect.stringMatching(/test of connector account\.private_registry: no answer within 0\.2 s/),
    });
  });

  it('of the account is asked for by its id alone', () => {
    expect(accountConnectorId('account.harnessImage')).toBe('harnessImage');
  });

  it.each([
    ['org.images', 'belongs to an organisation'],
    ['images', 'belongs to a project'],
    ['account.', 'is no connector'],
    ['account.a.b', 'is no connector'],
    ['account.../delete', 'is no connector'],
    ['', 'is no connector'],
  ])('%j is refused: it %s', async (reference, why) => {
    const simulator = await simulate();
    onTestFinished(() => expect(simulator.requests).toEqual([]));
    expect(await failure(clientOf(simulator).connector(reference))).toMatchObject({
      type: 'ConnectorUnusable',
      message: expect.stringContaining(why),
    });
  });
});
