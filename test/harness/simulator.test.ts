import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { ACCOUNT, KEY, simulate } from '../support/harness.js';

type Method = 'GET' | 'POST' | 'DELETE' | 'PUT';
const A = `accountIdentifier=${ACCOUNT}`;
const field = (entry: object) => JSON.stringify([entry]);
const QUERY = JSON.stringify({ query: '{ __typename }' });
const good = field({ field: 'addonTag', value: 'a/b:1' });

describe('the simulator answers 400 to what no document describes', () => {
  it.each<[string, Method, string, string?, string?]>([
    ['DELETE', 'DELETE', `/ci/execution-config/delete-config?${A}&infra=K8`],
    ['an unknown path', 'GET', `/ci/execution-config/get-config?${A}&infra=K8`],
    ['a wrong method', 'PUT', `/ci/execution-config/update-config?${A}&infra=K8`, good],
    ['a GET that should be a POST', 'GET', `/ci/execution-config/update-config?${A}&infra=K8`],
    ['an infra in lower case', 'GET', `/ci/execution-config/get-default-config?${A}&infra=k8`],
    ['no infra', 'GET', `/ci/execution-config/get-default-config?${A}`],
    ['no account', 'GET', '/ci/execution-config/get-default-config?infra=K8'],
    ['another account', 'GET', '/ci/execution-config/get-default-config?accountIdentifier=b&infra=K8'],
    [
      'an unknown parameter',
      'GET',
      `/ci/execution-config/get-default-config?${A}&infra=K8&overridesOnly=true`,
    ],
    ['a parameter given twice', 'GET', `/ci/execution-config/get-default-config?${A}&infra=K8&infra=VM`],
    ['overridesOnly=yes', 'GET', `/ci/execution-config/get-customer-config?${A}&infra=K8&overridesOnly=yes`],
    ['an object as body', 'POST', `/ci/execution-config/update-config?${A}&infra=K8`, '{}'],
    ['an empty batch', 'POST', `/ci/execution-config/update-config?${A}&infra=K8`, '[]'],
    ['no body', 'POST', `/ci/execution-config/update-config?${A}&infra=K8`],
    [
      'a property too many',
      'POST',
      `/ci/execution-config/update-config?${A}&infra=K8`,
      field({ field: 'addonTag', value: 'a/b:1', target: 'x' }),
    ],
    [
      'a digest as a value',
      'POST',
      `/ci/execution-config/update-config?${A}&infra=K8`,
      field({ field: 'addonTag', value: `a/b@sha256:${'0'.repeat(64)}` }),
    ],
    ['a value in a reset', 'POST', `/ci/execution-config/reset-config?${A}&infra=K8`, good],
    ['a form', 'POST', `/ci/execution-config/update-config?${A}&infra=K8`, good, 'text/plain'],
    ['a scope on a connector', 'GET', `/ng/api/connectors/account.private_registry?${A}`],
    ['an organisation', 'GET', `/ng/api/connectors/private_registry?${A}&orgIdentifier=o`],
    ['a test with a body', 'POST', `/ng/api/connectors/testConnection/private_registry?${A}`, '{}'],
    ['GraphQL by GET', 'GET', `/api/graphql?accountId=${ACCOUNT}&query={__typename}`],
    ['GraphQL without an account', 'POST', '/api/graphql', QUERY],
    ['GraphQL with the account as REST has it', 'POST', `/api/graphql?${A}`, QUERY],
    ['GraphQL of another account', 'POST', '/api/graphql?accountId=b', QUERY],
    ['GraphQL without a query', 'POST', `/api/graphql?accountId=${ACCOUNT}`, '{}'],
    ['GraphQL as a form', 'POST', `/api/graphql?accountId=${ACCOUNT}`, QUERY, 'text/plain'],
    ['a GET test', 'GET', `/ng/api/connectors/testConnection/private_registry?${A}`],
  ])('%s', async (_what, method, path, body, type = 'application/json') => {
    const simulator = await simulate();
    const response = await request(`${simulator.url}${path}`, {
      method,
      headers: { 'x-api-key': KEY, ...(body === undefined ? {} : { 'content-type': type }) },
      body: body ?? null,
    });
    expect(await response.body.json()).toMatchObject({
      status: 'FAILURE',
      message: expect.stringContaining('knows no such call'),
    });
    expect(response.statusCode).toBe(400);
    expect(simulator.state.overrides).toEqual({ K8: {}, VM: {} });
  });

  it('and 401 to a call without a key, whatever it asks', async () => {
    const { url } = await simulate();
    const response = await request(`${url}/anything`);
    await response.body.dump();
    expect(response.statusCode).toBe(401);
  });

  it('and errors under 200 to GraphQL that its schema does not know', async () => {
    const { url, state } = await simulate();
    const ask = async (query: string) => {
      const response = await request(`${url}/api/graphql?accountId=${ACCOUNT}`, {
        method: 'POST',
        headers: { 'x-api-key': KEY, 'content-type': 'application/json' },
        body: JSON.stringify({ query }),
      });
      expect(response.statusCode).toBe(200);
      return response.body.json();
    };
    const images = (account: string) =>
      `{ ciExecutionImages(accountId: "${account}", infra: ["K8"]) { infra overrides { field } } }`;
    const unknown = { errors: [{ message: expect.stringContaining("'ciExecutionImages' in type 'Query'") }] };
    expect(await ask('{ broken')).toMatchObject({ errors: [{ message: expect.stringContaining('Syntax') }] });
    expect(await ask(images(ACCOUNT))).toMatchObject(unknown);
    state.graphqlHasImages = true;
    expect(await ask(images(ACCOUNT))).toEqual({
      data: { ciExecutionImages: [{ infra: 'K8', overrides: [] }] },
    });
    expect(await ask(images('other'))).toMatchObject({ errors: [{ message: 'User not authorized.' }] });
  });
});
