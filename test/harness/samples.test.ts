import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { BROKEN } from '../../src/demo/harness-simulator/faults.js';
import {
  ACCOUNT,
  clientOf,
  EXPIRED_KEY,
  failure,
  KEY,
  READ_ONLY_KEY,
  sample,
  sampleFields,
  simulate,
} from '../support/harness.js';

const PATH = {
  default: '/ci/execution-config/get-default-config',
  customer: '/ci/execution-config/get-customer-config',
  deprecated: '/ci/execution-config/get-deprecated-config',
  update: '/ci/execution-config/update-config',
  reset: '/ci/execution-config/reset-config',
  connector: '/ng/api/connectors/private_registry',
  test: '/ng/api/connectors/testConnection/private_registry',
};

interface Call {
  path: string;
  infra?: string;
  query?: Record<string, string>;
  key?: string;
  body?: unknown;
}

/** Asks the simulator as any HTTP client would, and leaves out what Harness makes up anew for each answer. */
async function ask(url: string, call: Call): Promise<{ status: number; body: unknown }> {
  const query = new URLSearchParams({
    accountIdentifier: ACCOUNT,
    ...(call.infra === undefined ? {} : { infra: call.infra }),
    ...call.query,
  });
  const post = call.body !== undefined || call.path === PATH.test;
  const response = await request(`${url}${call.path}?${query}`, {
    method: post ? 'POST' : 'GET',
    headers: {
      'x-api-key': call.key ?? KEY,
      ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: call.body === undefined ? null : JSON.stringify(call.body),
  });
  return { status: response.statusCode, body: withoutIds(JSON.parse(await response.body.text())) };
}

const withoutIds = (answer: Record<string, unknown>): unknown =>
  answer.correlationId ? { ...answer, correlationId: 'any' } : answer;

const overriding = (name: string) => ({ overrides: { K8: sampleFields(name) } });
const unknownField = [{ field: 'noSuchTag', value: 'harness/x:1' }];

describe('the simulator gives each sample', () => {
  const cases: [string, Call, Parameters<typeof simulate>[0]?][] = [
    ['default-config.k8.json', { path: PATH.default, infra: 'K8' }],
    ['default-config.vm.json', { path: PATH.default, infra: 'VM' }],
    [
      'default-config.k8.older.json',
      { path: PATH.default, infra: 'K8' },
      { defaults: { K8: sampleFields('default-config.k8.older.json') } },
    ],
    ['customer-config.k8.empty.json', { path: PATH.customer, infra: 'K8' }],
    [
      'customer-config.k8.json',
      { path: PATH.customer, infra: 'K8', query: { overridesOnly: 'true' } },
      overriding('customer-config.k8.json'),
    ],
    [
      'customer-config.k8.private-registry.json',
      { path: PATH.customer, infra: 'K8' },
      overriding('customer-config.k8.private-registry.json'),
    ],
    [
      'customer-config.k8.all.json',
      { path: PATH.customer, infra: 'K8', query: { overridesOnly: 'false' } },
      { overrides: { K8: { gitCloneTag: 'harness/drone-git:1.5.4-rootless' } } },
    ],
    [
      'update-config.response.json',
      { path: PATH.update, infra: 'K8', body: JSON.parse(sample('update-config.request.json')) },
    ],
    [
      'update-config.response.json',
      {
        path: PATH.update,
        infra: 'K8',
        body: JSON.parse(sample('update-config.request.private-registry.json')),
      },
    ],
    [
      'reset-config.response.json',
      { path: PATH.reset, infra: 'K8', body: JSON.parse(sample('reset-config.request.json')) },
    ],
    ['connector.docker.json', { path: PATH.connector }],
    ['connector-test.success.json', { path: PATH.test }],
    [
      'connector-test.failure.json',
      { path: PATH.test },
      { connectors: [{ identifier: 'private_registry', testFailure: 'Unauthorized' }] },
    ],
    ['error-400-unknown-field.json', { path: PATH.update, infra: 'K8', body: unknownField }],
    ['error-400-unsupported-infra.json', { path: PATH.default, infra: 'DLITE_VM' }],
    ['error-401.json', { path: PATH.default, infra: 'K8', key: 'pat.other.id.secret' }],
    ['error-401-expired.json', { path: PATH.default, infra: 'K8', key: EXPIRED_KEY }],
    [
      'error-403.json',
      { path: PATH.update, infra: 'K8', body: [{ field: 'addonTag', value: 'a/b:1' }], key: READ_ONLY_KEY },
    ],
  ];
  it.each(cases)('%s', async (name, call, options) => {
    const { url } = await simulate(options);
    const { status, body } = await ask(url, call);
    expect(body).toEqual(withoutIds(JSON.parse(sample(name))));
    expect(status).toBe(Number(/^error-(\d+)/.exec(name)?.[1] ?? 200));
  });

  it('error-400-unknown-field.jaxrs.json, when told to answer in the plain shape', async () => {
    const { url, state } = await simulate();
    state.plainErrors = true;
    const { body } = await ask(url, { path: PATH.update, infra: 'K8', body: unknownField });
    expect(body).toEqual(JSON.parse(sample('error-400-unknown-field.jaxrs.json')));
  });

  it('deprecated-config.json', async () => {
    const { url, state } = await simulate();
    Object.assign(state.deprecated, sampleFields('deprecated-config.json'));
    const { body } = await ask(url, { path: PATH.deprecated });
    expect(body).toEqual(JSON.parse(sample('deprecated-config.json')));
  });

  it('error-500.json, when it breaks', async () => {
    const simulator = await simulate();
    simulator.fail({ how: BROKEN });
    const { status, body } = await ask(simulator.url, { path: PATH.default, infra: 'K8' });
    expect(status).toBe(500);
    expect(body).toEqual(withoutIds(JSON.parse(sample('error-500.json'))));
  });
});

describe('the client reads each sample', () => {
  /** Serves the sample's very bytes in place of the simulator's own answer. */
  async function served(name: string, status = 200) {
    const simulator = await simulate();
    simulator.fail({ how: { kind: 'answer', status, body: sample(name) } });
    return clientOf(simulator);
  }

  it.each([
    ['default-config.k8.json', 48],
    ['default-config.k8.older.json', 12],
    ['default-config.vm.json', 13],
  ])('%s as a map of %i fields', async (name, count) => {
    const fields = await (await served(name)).defaultConfig('K8');
    expect(fields).toEqual(sampleFields(name));
    expect(Object.keys(fields)).toHaveLength(count);
  });

  it.each([
    'customer-config.k8.all.json',
    'customer-config.k8.empty.json',
    'customer-config.k8.json',
    'customer-config.k8.private-registry.json',
    'deprecated-config.json',
  ])('%s as a map of fields', async (name) => {
    const client = await served(name);
    expect(await client.customerConfig('K8', { overridesOnly: true })).toEqual(sampleFields(name));
  });

  it('the update and the reset answers as done', async () => {
    await (await served('update-config.response.json')).updateConfig('K8', unknownField);
    await (await served('reset-config.response.json')).resetConfig('K8', [{ field: 'addonTag' }]);
  });

  it('the connector and both verdicts of its test', async () => {
    expect(await (await served('connector.docker.json')).connector('account.private_registry')).toEqual({
      identifier: 'private_registry',
      type: 'DockerRegistry',
      url: 'https://registry.example.com/ci',
    });
    const passed = await served('connector-test.success.json');
    expect(await passed.testConnector('account.private_registry')).toEqual({ ok: true });
    const failed = await served('connector-test.failure.json');
    expect(await failed.testConnector('account.private_registry')).toEqual({
      ok: false,
      reason: 'Error Encountered (Unauthorized)',
    });
  });

  it('error-429.http.txt, with its status, its type and its body that is no JSON', async () => {
    const [head = '', body] = sample('error-429.http.txt').split(/\r?\n\r?\n/);
    const status = Number(/^HTTP\/1.1 (\d+)/.exec(head)?.[1]);
    const simulator = await simulate();
    simulator.fail({ how: { kind: 'answer', status, ...(body === undefined ? {} : { body }) } });
    const error = await failure(clientOf(simulator).defaultConfig('K8'));
    expect(error).toMatchObject({ type: 'HarnessRateLimited', retryAfterMs: 60_000, retryable: true });
  });

  it('and sends the sample requests, byte for byte the same JSON', async () => {
    const simulator = await simulate();
    const client = clientOf(simulator);
    for (const name of ['update-config.request.json', 'update-config.request.private-registry.json']) {
      const body: { field: string; value: string }[] = JSON.parse(sample(name));
      await client.updateConfig('K8', body);
      expect(simulator.requests.at(-1)?.body).toEqual(body);
    }
    const reset: { field: string }[] = JSON.parse(sample('reset-config.request.json'));
    await client.resetConfig('K8', reset);
    expect(simulator.requests.at(-1)?.body).toEqual(reset);
  });

  it('and none is left out', () => {
    const files = readdirSync(new URL('../fixtures/harness-api/', import.meta.url));
    const tests = readFileSync(new URL(import.meta.url), 'utf8');
    expect(files.filter((name) => !tests.includes(name))).toEqual([]);
  });
});
