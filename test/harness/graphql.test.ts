import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Fault, HarnessSimulator } from '../../src/demo/harness-simulator/index.js';
import { readImages } from '../../src/harness/images.js';
import {
  ACCOUNT,
  clientOf,
  closedGateway,
  EXPIRED_KEY,
  failure,
  KEY,
  sampleFields,
  simulate,
} from '../support/harness.js';

const PINNED = { gitCloneTag: 'harness/drone-git:1.5.4-rootless' };
const K8 = { infra: 'K8', default: sampleFields('default-config.k8.json'), customer: PINNED };
const VM = { infra: 'VM', default: sampleFields('default-config.vm.json'), customer: {} };

interface Asked {
  infra?: ('K8' | 'VM')[];
  sources?: ('default' | 'customer')[];
  signal?: AbortSignal;
}

const world = async (): Promise<HarnessSimulator> => simulate({ overrides: { K8: PINNED } });

/** Reads as a run does whose address ends in /graphql. */
function read(
  { url }: { url: string },
  { infra = ['K8'], sources = ['default', 'customer'], signal }: Asked = {},
  options: Parameters<typeof clientOf>[1] = {},
) {
  return readImages(clientOf({ url }, { graphql: true, ...options }), { infra, sources }, signal);
}

/** What was asked, by the last part of the path, in the order of {@link REST}: those two go out at once. */
const calls = ({ requests }: HarnessSimulator) =>
  requests
    .map(({ method, path, status }) => `${method} ${path.split('/').at(-1)} ${status}`)
    .sort()
    .reverse();
const REST = ['GET get-default-config 200', 'GET get-customer-config 200'];

describe('an account whose schema knows CI images', () => {
  it('is read in one request, for all infras and sources', async () => {
    const simulator = await world();
    simulator.state.graphqlHasImages = true;
    expect(await read(simulator, { infra: ['VM', 'K8'] })).toEqual({
      answeredBy: 'GraphQL',
      configs: [VM, K8],
    });
    expect(calls(simulator)).toEqual(['POST graphql 200']);
    expect(simulator.requests[0]).toMatchObject({
      path: '/gateway/api/graphql',
      query: { accountId: ACCOUNT },
      body: { operationName: 'CiImages', variables: { accountId: ACCOUNT, infra: ['VM', 'K8'] } },
    });
  });

  it.each([
    [['default'], { ...K8, customer: {} }],
    [['customer'], { ...K8, default: {} }],
  ] satisfies [Asked['sources'], object][])('gives of the sources %j only', async (sources, config) => {
    const simulator = await world();
    simulator.state.graphqlHasImages = true;
    expect((await read(simulator, { sources })).configs).toEqual([config]);
  });

  it('is read over REST where the URL does not end in /graphql', async () => {
    const simulator = await world();
    simulator.state.graphqlHasImages = true;
    expect(await read(simulator, {}, { graphql: false })).toEqual({ answeredBy: 'REST', configs: [K8] });
    expect(calls(simulator)).toEqual(REST);
  });
});

describe('an account of today', () => {
  it('answers an error of validation, and is read over REST: one request more', async () => {
    const simulator = await world();
    expect(await read(simulator)).toEqual({ answeredBy: 'REST', configs: [K8] });
    expect(calls(simulator)).toEqual(['POST graphql 200', ...REST]);
  });

  it('is asked by GraphQL once, whatever the number of infras', async () => {
    const simulator = await world();
    expect(await read(simulator, { infra: ['K8', 'VM'] })).toMatchObject({ answeredBy: 'REST' });
    expect(calls(simulator).filter((call) => call.includes('graphql'))).toHaveLength(1);
  });
});

const answer = (status: number, body: unknown, headers: Record<string, string> = {}): Fault['how'] => ({
  kind: 'answer',
  status,
  body: typeof body === 'string' ? body : JSON.stringify(body),
  headers: { 'content-type': 'application/json', ...headers },
});
const images = (...entries: object[]) => ({ data: { ciExecutionImages: entries } });

describe('REST decides where GraphQL', () => {
  it.each<[string, Fault['how']]>([
    ['is not there', answer(404, { code: 'RESOURCE_NOT_FOUND_EXCEPTION', message: 'HTTP 404 Not Found' })],
    ['is not there, in text', answer(404, 'default backend - 404')],
    ['is closed to keys of this kind', answer(401, { status: 'ERROR', code: 'INVALID_TOKEN' })],
    ['is not permitted', answer(403, { errors: [{ message: 'User not authorized.' }] })],
    ['refuses with 200', answer(200, { data: null, errors: [{ message: 'User not authorized.' }] })],
    ['is hidden behind a page', answer(200, '<!DOCTYPE html><html><title>Login</title></html>')],
    ['is limited', answer(429, 'rate limited')],
    ['breaks', answer(500, { message: 'Oops' })],
    ['answers nothing', answer(200, '')],
    ['answers no content', { kind: 'answer', status: 204 }],
    ['answers something else', answer(200, { data: { applications: [] } })],
    ['lacks an infra', answer(200, images({ infra: 'VM', defaults: [], overrides: [] }))],
    ['lacks the overrides', answer(200, images({ infra: 'K8', defaults: [] }))],
    ['answers half', { kind: 'half' }],
    ['answers 2 MiB', answer(200, { data: 'x'.repeat(2 << 20) })],
    ['breaks the connection', { kind: 'reset' }],
  ])('%s', async (_what, how) => {
    const simulator = await world();
    simulator.fail({ path: 'graphql', how });
    expect(await read(simulator)).toEqual({ answeredBy: 'REST', configs: [K8] });
    expect(calls(simulator).slice(1)).toEqual(REST);
  });

  it('does not answer in time, which is 5 s of the 20 s that REST has', async () => {
    const simulator = await world();
    simulator.fail({ path: 'graphql', how: { kind: 'hang' } });
    const soon = AbortSignal.timeout(500);
    const limit = vi.spyOn(AbortSignal, 'timeout').mockReturnValueOnce(soon); // the first is GraphQL's
    onTestFinished(() => limit.mockRestore());
    expect(await read(simulator)).toEqual({ answeredBy: 'REST', configs: [K8] });
    expect(limit.mock.calls.flat()).toEqual([5_000, 20_000, 20_000]);
  });

  it('redirects, and the key does not go along', async () => {
    const simulator = await world();
    const elsewhere = await world();
    simulator.fail({ path: 'graphql', how: answer(307, '', { location: `${elsewhere.url}/api/graphql` }) });
    expect(await read(simulator)).toMatchObject({ answeredBy: 'REST' });
    expect(elsewhere.requests).toEqual([]);
  });
});

describe('a failure is said once, and clearly', () => {
  it.each([
    ['wrong', `${KEY}x`, 'HarnessUnauthorized', /not valid \(INVALID_TOKEN\)/],
    ['expired', EXPIRED_KEY, 'HarnessUnauthorized', /expired \(EXPIRED_TOKEN\)/],
    ['no key at all', 'a\nb', 'HarnessUnauthorized', /characters that no key has/],
  ])('when the key is %s', async (_what, apiKey, type, message) => {
    const simulator = await world();
    const error = await failure(read(simulator, {}, { apiKey }));
    expect(error).toMatchObject({ type, message: expect.stringMatching(message) });
    expect(String(error)).not.toContain(apiKey);
  });

  it('when nothing listens there', async () => {
    expect(await failure(read(await closedGateway()))).toMatchObject({
      type: 'HarnessUnavailable',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('and not at all when the caller gives up: REST is not asked any more', async () => {
    const simulator = await world();
    simulator.fail({ path: 'graphql', how: { kind: 'hang' } });
    const controller = new AbortController();
    const reading = failure(read(simulator, { signal: controller.signal }));
    await vi.waitFor(() => expect(simulator.requests).toHaveLength(1), { timeout: 10_000 });
    const why = new Error('cancelled');
    controller.abort(why);
    expect(await reading).toBe(why);
    expect(simulator.requests).toHaveLength(1);
  });
});
