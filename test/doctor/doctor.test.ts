import { access, mkdir, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { exitCodeOf } from '../../src/cli/doctor.js';
import { EXIT } from '../../src/cli/exit.js';
import { startTemporal, type TemporalService } from '../../src/demo/services/temporal.js';
import { spaceFinding } from '../../src/doctor/disk.js';
import { EXPIRED_KEY, KEY, READ_ONLY_KEY } from '../support/harness.js';
import { TEST_LOGIN } from '../support/registry-server.js';
import { doctor, HOUR_MS, openWorld } from './world.js';

let temporal: TemporalService;
beforeAll(async () => {
  temporal = await startTemporal({ uiPort: false });
  // Temporal's client reads this process's environment alone.
  vi.stubEnv('TEMPORAL_ADDRESS', temporal.address);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await temporal.stop();
});

it('finds everything in order with a key that may only read, changes nothing, and shows no secret', async () => {
  const { env, harness, target, image } = await openWorld();
  const { results, of } = await doctor({ ...env, HARNESS_API_KEY: READ_ONLY_KEY });
  expect(of('Harness')).toMatchObject({ status: 'ok', found: expect.stringContaining('account ACCOUNT_ID') });
  expect(of('connector')).toMatchObject({
    status: 'ok',
    found: expect.stringContaining(`Harness would pull ${target.host}/ci/${image}`),
  });
  expect(of(`source ${env.SOURCE_REGISTRY}`)).toMatchObject({
    status: 'ok',
    found: expect.stringContaining('(anonymous)'),
  });
  expect(of('push')).toMatchObject({ status: 'ok', found: expect.stringContaining('(REGISTRY_USER;') });
  expect(of('Trivy').status).toBe('ok');
  // Nothing was scanned here yet, and this test has no worker: worth saying, and no reason to fail.
  expect(of('vulnerability database')).toMatchObject({
    status: 'warn',
    found: expect.stringContaining('none'),
  });
  expect(of('Temporal')).toMatchObject({ status: 'warn', found: expect.stringContaining('no worker polls') });
  expect(exitCodeOf(results)).toBe(EXIT.done);
  const posts = harness.requests.filter(({ method }) => method !== 'GET');
  expect(posts.map(({ path }) => path)).toEqual([expect.stringContaining('/testConnection/')]);
  const text = JSON.stringify(results);
  for (const secret of [READ_ONLY_KEY, 'readOnlySecret', TEST_LOGIN.password])
    expect(text).not.toContain(secret);
});

it('says that the key is wrong or has expired, and checks what does not need it', async () => {
  const { env } = await openWorld();
  for (const [key, why] of [
    [`${KEY}x`, 'INVALID_TOKEN'],
    [EXPIRED_KEY, 'EXPIRED_TOKEN'],
  ] as const) {
    const account = { HARNESS_API_KEY: key, HARNESS_ACCOUNT_ID: 'ACCOUNT_ID' };
    const { results, of } = await doctor({ ...env, ...account });
    expect(of('Harness')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining(why),
      mend: expect.stringContaining('create a new one in Harness'),
    });
    expect(of('push').status).toBe('ok');
    expect(of(`source ${env.SOURCE_REGISTRY}`).found).toContain('not checked');
    expect(exitCodeOf(results)).toBe(EXIT.unreachable);
    expect(JSON.stringify(results)).not.toContain(key);
  }
});

it('says that the target does not take the password, without showing it', async () => {
  const { env } = await openWorld();
  const { results, of } = await doctor({ ...env, REGISTRY_PASSWORD: 'canary-password' });
  expect(of('push')).toMatchObject({
    status: 'fail',
    mend: expect.stringContaining('set REGISTRY_USER and REGISTRY_PASSWORD'),
  });
  expect(exitCodeOf(results)).toBe(EXIT.unreachable);
  expect(JSON.stringify(results)).not.toContain('canary-password');
});

it('says that the connector is missing, that its test fails, or that Harness would pull another path', async () => {
  const { env, harness, target } = await openWorld();
  const missing = await doctor(env, { registryConnector: 'account.nobody' });
  expect(missing.of('connector')).toMatchObject({ status: 'fail', found: expect.stringContaining('nobody') });

  const dockerRegistryUrl = `http://${target.host}`;
  harness.state.connectors.set('sick', { identifier: 'sick', dockerRegistryUrl, testFailure: 'no route' });
  const sick = await doctor(env, { registryConnector: 'account.sick' });
  expect(sick.of('connector')).toMatchObject({ status: 'fail', found: expect.stringContaining('no route') });

  harness.state.connectors.set('far', { identifier: 'far', dockerRegistryUrl: 'https://far.example.com' });
  const far = await doctor(env, { registryConnector: 'account.far' });
  expect(far.of('connector')).toMatchObject({
    status: 'fail',
    found: expect.stringContaining('Harness would pull far.example.com/'),
    mend: expect.stringContaining('set '),
  });
});

it('sends the key to no host that the worker would not send it to', async () => {
  const { env, harness } = await openWorld();
  const { results, of } = await doctor({ ...env, ALLOWED_HARNESS_HOSTS: 'app.harness.io' });
  expect(of('environment')).toMatchObject({ status: 'fail', mend: expect.any(String) });
  expect(of('Harness')).toMatchObject({ status: 'warn', found: expect.stringContaining('not checked') });
  expect(harness.requests).toEqual([]);
  expect(exitCodeOf(results)).toBe(EXIT.badInput);

  // An allow-list that can't be read allows nothing, rather than its default.
  await doctor({ ...env, ALLOWED_HARNESS_HOSTS: 'not a host' });
  expect(harness.requests).toEqual([]);
});

it('names all faults of the environment at once, and checks the rest', async () => {
  const { env } = await openWorld();
  const { results, of } = await doctor({ ...env, CONTENT_MAX_GB: 'lots', REGISTRY_USER: '', INFRA: 'MOON' });
  for (const name of ['CONTENT_MAX_GB', 'REGISTRY_USER and REGISTRY_PASSWORD', 'INFRA'])
    expect(of('environment').found).toContain(name);
  expect(of('push')).toMatchObject({ status: 'warn', found: expect.stringContaining('REGISTRY_PASSWORD') });
  expect(of('Harness').status).toBe('ok');
  expect(of('Trivy').status).toBe('ok');
  expect(exitCodeOf(results)).toBe(EXIT.badInput);
});

it('says that Trivy is missing, that the database is too old, and that its repository is not reached', async () => {
  const { env } = await openWorld();
  await mkdir(`${env.TRIVY_CACHE_DIR}/db`, { recursive: true });
  const UpdatedAt = new Date(Date.now() - 1000 * HOUR_MS).toISOString();
  await writeFile(`${env.TRIVY_CACHE_DIR}/db/metadata.json`, JSON.stringify({ UpdatedAt }));
  const old = await doctor({ ...env, TRIVY_PATH: 'no-such-trivy' });
  expect(old.of('Trivy')).toMatchObject({ status: 'fail', mend: expect.stringContaining('install Trivy') });
  expect(old.of('vulnerability database')).toMatchObject({
    status: 'warn',
    found: expect.stringContaining('1000 hours old'),
  });
  const kept = await doctor({ ...env, TRIVY_SKIP_DB_UPDATE: 'true', TRIVY_SKIP_JAVA_DB_UPDATE: 'true' });
  expect(kept.of('vulnerability database').status).toBe('fail');
  const away = await doctor({ ...env, TRIVY_DB_REPOSITORY: '127.0.0.1:1/db' });
  expect(away.of('vulnerability database')).toMatchObject({
    status: 'fail',
    mend: expect.stringContaining('TRIVY_DB_REPOSITORY'),
  });
});

it('waits for a silent Harness no longer than its limit', async () => {
  const { env, harness } = await openWorld();
  harness.fail({ how: { kind: 'hang' } });
  const { of } = await doctor(env, {}, 2000);
  expect(of('Harness')).toMatchObject({ status: 'fail', found: 'no answer within 2 s' });
  expect(of('push').status).toBe('ok');
});

it('says that no Temporal server answers, or that its namespace does not exist', async () => {
  const { env } = await openWorld();
  vi.stubEnv('TEMPORAL_NAMESPACE', 'nowhere');
  onTestFinished(() => {
    vi.stubEnv('TEMPORAL_NAMESPACE', undefined);
    vi.stubEnv('TEMPORAL_ADDRESS', temporal.address);
  });
  expect((await doctor(env)).of('Temporal')).toMatchObject({
    status: 'fail',
    mend: expect.stringContaining('TEMPORAL_NAMESPACE'),
  });
  vi.stubEnv('TEMPORAL_ADDRESS', '127.0.0.1:1');
  const { results, of } = await doctor(env);
  expect(of('Temporal')).toMatchObject({ status: 'fail', mend: expect.stringContaining('TEMPORAL_ADDRESS') });
  // Schedules are in that server: nobody can say that they are in order.
  expect(of('schedule')).toMatchObject({ status: 'warn', found: expect.stringMatching(/^not checked: /) });
  expect(exitCodeOf(results)).toBe(EXIT.unreachable);
});

it('warns below 5 GB and fails below 1 GB, and makes the content folder no sooner than a worker does', async () => {
  expect(spaceFinding('CONTENT_DIR /c', 5e9).status).toBe('ok');
  expect(spaceFinding('CONTENT_DIR /c', 4.9e9).status).toBe('warn');
  expect(spaceFinding('CONTENT_DIR /c', 0.9e9).status).toBe('fail');
  const { env, directory } = await openWorld();
  await writeFile(`${directory}/file`, '');
  const { of } = await doctor({ ...env, REPORT_DIR: `${directory}/file/reports` });
  expect(of('content').status).toBe('ok');
  await expect(access(`${env.CONTENT_DIR}`)).rejects.toThrow();
  expect(of('reports')).toMatchObject({ status: 'fail', mend: expect.any(String) });
});
