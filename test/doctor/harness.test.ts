import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { examine } from '../../src/doctor/examine.js';
import { temporaryDirectory } from '../support/directory.js';
import { KEY, simulate } from '../support/harness.js';
import { type Authority, createAuthority } from '../support/tls.js';

let authority: Authority;
beforeAll(async () => {
  authority = await createAuthority();
});

/** What doctor says of Harness; everything else has its own tests, and no server here. */
async function harness(env: Record<string, string>) {
  const base = { HOME: '/nowhere', PATH: process.env.PATH ?? '' };
  const results = await examine({ scan: false }, { ...base, ...env }, 8000);
  return results.find(({ check }) => check === 'Harness');
}

it('asks a Harness with a private authority by EXTRA_CA_FILE, and says what to mend without it', async () => {
  const simulator = await simulate({ tls: await authority.issue({ names: ['127.0.0.1'] }) });
  const file = join(await temporaryDirectory(), 'ca.pem');
  await writeFile(file, authority.certificate);
  const env = { HARNESS_API_KEY: KEY, HARNESS_URL: `${simulator.url}/api/graphql` };
  expect(await harness({ ...env, EXTRA_CA_FILE: file })).toMatchObject({
    status: 'ok',
    found: expect.stringContaining('default images over REST: 48 fields for K8'),
  });
  simulator.state.graphqlHasImages = true;
  expect(await harness({ ...env, EXTRA_CA_FILE: file })).toMatchObject({
    status: 'ok',
    found: expect.stringContaining('default images over GraphQL: 48 fields for K8'),
  });
  const asked = simulator.requests.length;
  expect(await harness(env)).toMatchObject({
    status: 'fail',
    found: expect.stringContaining('its certificate is not trusted here'),
    mend: expect.stringContaining('EXTRA_CA_FILE'),
  });
  expect(simulator.requests).toHaveLength(asked);
  expect(JSON.stringify(await harness({ ...env, EXTRA_CA_FILE: `${file}.gone` }))).toMatch(
    /EXTRA_CA_FILE .*ca\.pem\.gone can't be read \(ENOENT\)/,
  );
});

it('does not ask when the environment does not say with which key', async () => {
  expect(await harness({})).toMatchObject({
    status: 'warn',
    found: expect.stringContaining('the environment does not say whom to ask'),
  });
});
