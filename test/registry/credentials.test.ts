import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { anonymous, targetCredentials } from '../../src/registry/credentials.js';
import { dockerConfigCredentials, dockerConfigPath } from '../../src/registry/docker-config.js';

async function configFile(contents: unknown): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'image-factory-docker-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, 'config.json');
  await writeFile(path, typeof contents === 'string' ? contents : JSON.stringify(contents));
  return path;
}
const encoded = (text: string): string => Buffer.from(text).toString('base64');

it('plain entries of a Docker configuration are found under every spelling of their host', async () => {
  const path = await configFile({
    auths: {
      'https://index.docker.io/v1/': { auth: encoded('hub:p:with:colons') },
      'https://REG.example.com/v2/': { username: 'u', password: 'p' },
      'azure.example.com:8443': { auth: encoded('00000000:'), identitytoken: 'refresh-me' },
    },
    psFormat: 7,
  });
  const credentials = dockerConfigCredentials(path, {});
  expect(await credentials.forHost('docker.io')).toEqual({
    kind: 'password',
    user: 'hub',
    password: 'p:with:colons',
  });
  expect(await credentials.forHost('reg.example.com')).toEqual({
    kind: 'password',
    user: 'u',
    password: 'p',
  });
  expect(await credentials.forHost('azure.example.com:8443')).toEqual({
    kind: 'identity-token',
    token: 'refresh-me',
  });
  expect(await credentials.forHost('azure.example.com')).toBeUndefined();
});

it('a configuration that is not there means anonymous', async () => {
  const credentials = dockerConfigCredentials(join(await configFile({}), '..', 'none.json'), {});
  expect(await credentials.forHost('docker.io')).toBeUndefined();
});

it('a changed configuration is read again', async () => {
  const path = await configFile({ auths: { 'a.io': { auth: encoded('u:old') } } });
  const credentials = dockerConfigCredentials(path, {});
  expect(await credentials.forHost('a.io')).toMatchObject({ password: 'old' });
  await writeFile(path, JSON.stringify({ auths: { 'a.io': { auth: encoded('u:new') } } }));
  await utimes(path, new Date(), new Date(Date.now() + 5000));
  expect(await credentials.forHost('a.io')).toMatchObject({ password: 'new' });
});

it.each([
  ['no JSON', `{"auths":{"a.io":{"auth":"${encoded('u:canary')}"`],
  ['no object', { auths: ['canary'] }],
  ['an odd entry', { auths: { 'a.io': { auth: 7, password: 'canary' } } }],
  ['an auth without a colon', { auths: { 'a.io': { auth: encoded('canary') } } }],
])('%s is one clear error without contents', async (_, contents) => {
  const path = await configFile(contents);
  const error: unknown = await dockerConfigCredentials(path, {})
    .forHost('a.io')
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ type: 'InvalidInput', message: expect.stringContaining(path) });
  const shown = JSON.stringify([String(error), error instanceof Error ? [error.stack, error.cause] : '']);
  expect(shown).not.toContain('canary');
  expect(shown).not.toContain(encoded('canary'));
});

it('an odd entry of another host hurts nobody', async () => {
  const path = await configFile({ auths: { 'a.io': 7, 'b.io': { auth: encoded('u:p') } } });
  expect(await dockerConfigCredentials(path, {}).forHost('b.io')).toMatchObject({ user: 'u' });
});

it('the target’s login is for the target alone', async () => {
  const login = { user: 'u', password: 'p' };
  const credentials = targetCredentials('Reg.example.com:5000', login, anonymous);
  expect(await credentials.forHost('reg.example.com:5000')).toEqual({ kind: 'password', ...login });
  expect(await credentials.forHost('reg.example.com')).toBeUndefined();
  expect(await credentials.forHost('docker.io')).toBeUndefined();
});

it('the configuration is where DOCKER_CONFIG says', () => {
  expect(dockerConfigPath({ DOCKER_CONFIG: '/etc/docker-logins' })).toBe('/etc/docker-logins/config.json');
  expect(dockerConfigPath({})).toMatch(/\.docker.config\.json$/);
});
