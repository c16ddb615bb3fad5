import { expect } from 'vitest';
import { startWorkerProcess } from '../integration/worker-process.js';
import { faultCase } from './matrix.js';
import type { How } from './proxy.js';
import { expectTruth } from './truth.js';
import { openWorld, type World } from './world.js';

const CALLS: readonly [method: string, url: RegExp][] = [
  ['GET', /\/get-default-config\?/],
  ['GET', /\/connectors\/harnessImage\?/],
  ['POST', /\/testConnection\/harnessImage\?/],
  ['GET', /\/get-customer-config\?.*overridesOnly=true/],
  ['POST', /\/update-config\?/],
  ['GET', /\/get-customer-config\?.*overridesOnly=false/],
];
const updatesSent = ({ account }: World): number =>
  account.seen.filter(({ path }) => path.endsWith('/update-config')).length;
const overrides = { addonTag: 'harness/ci-addon:1.0.0' };
const HTML: How = { kind: 'answer', status: 200, body: '<html><body>Please sign in</body></html>' };

const FAULTS: [name: string, how: How, calls?: typeof CALLS][] = [
  ['500', { kind: 'answer', status: 500, body: '{"status":"ERROR","code":"UNKNOWN_ERROR"}' }],
  ['200 with HTML', HTML],
  ['half a body', { kind: 'cut' }],
  // 20 s each until it is given up.
  [
    'no answer in time',
    { kind: 'hang' },
    [CALLS[0], CALLS[4], CALLS[5]].flatMap((call) => (call ? [call] : [])),
  ],
];
for (const [name, how, calls = CALLS] of FAULTS) {
  faultCase('harness', `each of ${calls.length} calls gets ${name}, once`, async () => {
    const world = await openWorld({ overrides });
    world.account.inject(...calls.map(([method, url]) => ({ method, url, how })));
    await startWorkerProcess(world.env);
    const end = await expectTruth(world, await world.start());
    expect(end.report.accounts).toMatchObject([{ kind: 'updated' }]);
    expect(world.account.left()).toEqual([]);
    return 'retried; account updated, snapshot holds what was before';
  });
}

faultCase('harness', 'the update is carried out and its answer is lost', async () => {
  const world = await openWorld({ overrides });
  world.account.inject({ method: 'POST', url: /\/update-config\?/, after: true, how: { kind: 'reset' } });
  await startWorkerProcess(world.env);
  const end = await expectTruth(world, await world.start());
  expect(end.report.accounts[0]).toMatchObject({ kind: 'updated' });
  expect(end.report.accounts[0]?.updated).toContainEqual(
    expect.objectContaining({ field: 'addonTag', before: 'harness/ci-addon:1.0.0' }),
  );
  expect(updatesSent(world)).toBe(1);
  return 'not sent twice; the report says what was before';
});

faultCase('harness', '401 in mid-run, when the account is to be updated', async () => {
  const world = await openWorld({ overrides });
  const how: How = {
    kind: 'answer',
    status: 401,
    headers: { 'content-type': 'application/json' },
    body: '{"status":"ERROR","code":"EXPIRED_TOKEN","message":"Token expired."}',
  };
  world.account.inject({ method: 'POST', url: /\/update-config\?/, times: 100, how });
  await startWorkerProcess(world.env);
  const end = await expectTruth(world, await world.start());
  expect(end.type).toBe('HarnessNotUpdated');
  expect(end.outcomes.map(({ kind }) => kind)).toEqual(['mirrored', 'mirrored']);
  expect(end.report.accounts).toMatchObject([{ kind: 'failed', updated: [] }]);
  expect(world.factory.harness.state.overrides.K8).toEqual(overrides);
  expect(updatesSent(world)).toBe(1);
  return 'HarnessNotUpdated after one attempt; images verified, account as it was';
});

faultCase('harness', 'answers HTML to every update', async () => {
  const world = await openWorld({ overrides });
  world.account.inject({ method: 'POST', url: /\/update-config\?/, times: 100, how: HTML });
  await startWorkerProcess(world.env);
  const end = await expectTruth(world, await world.start());
  expect(end.type).toBe('HarnessNotUpdated');
  expect(end.report.accounts).toMatchObject([{ kind: 'failed', updated: [] }]);
  expect(world.factory.harness.state.overrides.K8).toEqual(overrides);
  expect(updatesSent(world)).toBe(5);
  return 'HarnessNotUpdated after five attempts; images verified, account as it was';
});
