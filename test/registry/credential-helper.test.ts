import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dockerConfigCredentials } from '../../src/registry/docker-config.js';
import { temporaryDirectory } from '../support/directory.js';
import { clientFor, hostile, imageOf, referenceTo } from './kit.js';

/**
 * A helper as a program of its own: it notes what it is called with, and answers by the lines of shell given, which see
 * the registry as `$server` and the number of the call as `$count`.
 */
async function helper(name: string, script: string) {
  const directory = await temporaryDirectory();
  const bin = join(directory, 'bin');
  const calls = join(directory, 'calls');
  await mkdir(bin);
  await writeFile(calls, '');
  const program = join(bin, `docker-credential-${name}`);
  const head = `#!/bin/sh\nserver=$(cat)\necho "$1 $server" >>'${calls}'\ncount=$(wc -l <'${calls}' | tr -d ' ')\n`;
  await writeFile(program, `${head}${script}\n`);
  await chmod(program, 0o755);
  return {
    calls: async () => (await readFile(calls, 'utf8')).split('\n').slice(0, -1),
    /** Logins of a configuration that names it. */
    logins: async (config: object) => {
      const path = join(directory, 'config.json');
      await writeFile(path, JSON.stringify(config));
      return dockerConfigCredentials(path, { PATH: `${bin}:${process.env.PATH}` });
    },
  };
}

const answer = (user: string, secret: string): string =>
  `cat <<END\n{"ServerURL":"$server","Username":"${user}","Secret":"${secret}"}\nEND`;
const encoded = (text: string): string => Buffer.from(text).toString('base64');

describe('a credential helper', () => {
  it('is asked for the hosts that credHelpers gives it, and once while its answer is good', async () => {
    const { logins, calls } = await helper('fake', answer('robot', 'from-$server'));
    const credentials = await logins({
      credHelpers: { 'https://a.example.com': 'fake', 'https://index.docker.io/v1/': 'fake' },
    });
    const found = { kind: 'password', user: 'robot', password: 'from-a.example.com' };
    expect(await Promise.all([1, 2, 3].map(() => credentials.forHost('A.example.com')))).toEqual([
      found,
      found,
      found,
    ]);
    expect(await credentials.forHost('docker.io')).toMatchObject({ user: 'robot' });
    expect(await credentials.forHost('b.example.com')).toBeUndefined();
    expect(await calls()).toEqual(['get a.example.com', 'get https://index.docker.io/v1/']);
  });

  it('of the whole configuration is asked where there is no plain entry', async () => {
    const { logins, calls } = await helper('fake', answer('robot', 's'));
    const credentials = await logins({
      credsStore: 'fake',
      auths: { 'plain.example.com': { auth: encoded('u:p') }, 'kept.example.com': {} },
    });
    expect(await credentials.forHost('plain.example.com')).toMatchObject({ user: 'u' });
    expect(await credentials.forHost('kept.example.com')).toMatchObject({ user: 'robot' });
    expect(await calls()).toEqual(['get kept.example.com']);
  });

  it('that keeps an identity token says so by the user’s name', async () => {
    const { logins } = await helper('fake', answer('<token>', 'refresh-me'));
    const credentials = await logins({ credHelpers: { 'a.azurecr.io': 'fake' } });
    expect(await credentials.forHost('a.azurecr.io')).toEqual({
      kind: 'identity-token',
      token: 'refresh-me',
    });
  });

  it('that has nothing for a host leaves it anonymous', async () => {
    const { logins } = await helper('fake', 'echo credentials not found in native keychain; exit 1');
    const credentials = await logins({ credHelpers: { 'a.example.com': 'fake' } });
    expect(await credentials.forHost('a.example.com')).toBeUndefined();
  });

  it.each([
    ['fails', 'echo "session of https://u:canary@sso.example.com/?code=canary expired"; exit 1', /expired/],
    ['answers and then fails', `${answer('u', 'canary')}\nexit 1`, /exit code 1/],
    [
      'answers after a warning and then fails',
      `echo deprecated; ${answer('u', 'canary')}\nexit 3`,
      /exit code 3/,
    ],
    ['answers with something else', 'echo canary', /no login/],
    ['answers without a secret', `${answer('canary', '')}`, /no login/],
    ['answers without an end', 'yes canary', /printed more/],
  ])('that %s is named, with a way to try it and without its secrets', async (_, script, says) => {
    const { logins } = await helper('fake', script);
    const credentials = await logins({ credHelpers: { 'a.example.com': 'fake' } });
    const failed = credentials.forHost('a.example.com');
    await expect(failed).rejects.toMatchObject({
      type: 'CredentialHelperFailed',
      attempts: 5,
      message: expect.stringMatching(/echo a\.example\.com \| docker-credential-fake get/),
    });
    await expect(failed).rejects.toThrow(says);
    await expect(failed).rejects.not.toThrow(/canary/);
  });

  it.each(['../../bin/sh', 'a b', '-x', '', 7, 'x'.repeat(100)])('%j is no name of one', async (name) => {
    const { logins } = await helper('fake', answer('u', 'p'));
    const credentials = await logins({ credHelpers: { 'a.example.com': name } });
    if (name === '') expect(await credentials.forHost('a.example.com')).toBeUndefined();
    else await expect(credentials.forHost('a.example.com')).rejects.toMatchObject({ type: 'InvalidInput' });
  });

  it('that is not installed is missed only where a login was meant', async () => {
    const { logins } = await helper('fake', '');
    const credentials = await logins({ credsStore: 'desktop', auths: { 'kept.example.com': {} } });
    expect(await credentials.forHost('other.example.com')).toBeUndefined();
    await expect(credentials.forHost('kept.example.com')).rejects.toMatchObject({
      type: 'ToolMissing',
      message: expect.stringContaining('docker-credential-desktop'),
    });
  });
});

describe('a login that runs out', () => {
  const IMAGE = imageOf('{}', 'layer');
  const found = {
    status: 200,
    headers: { 'content-type': IMAGE.descriptor.mediaType },
    body: IMAGE.bytes,
  };
  const authorized = (user: string, password: string): string => `Basic ${encoded(`${user}:${password}`)}`;

  it('is asked for again when Basic is refused, also by a client that is new to the host', async () => {
    let valid = authorized('AWS', 'password-1');
    const server = await hostile([
      {
        on: '* /v2/a/b/manifests/1',
        reply: ({ headers }) =>
          headers.authorization === valid
            ? found
            : { status: 401, headers: { 'www-authenticate': 'Basic realm="r"' } },
      },
    ]);
    const { logins, calls } = await helper('fake', answer('AWS', 'password-$count'));
    const credentials = await logins({ credHelpers: { [server.host]: 'fake' } });
    const image = referenceTo(`${server.host}/a/b:1`);
    const client = clientFor({ credentials });
    await client.manifest(image);
    valid = authorized('AWS', 'password-2');
    await Promise.all([1, 2, 3, 4].map(() => client.manifest(image)));
    expect(await calls()).toHaveLength(2);
    valid = authorized('AWS', 'password-3');
    await clientFor({ credentials }).manifest(image);
    expect(await calls()).toHaveLength(3);
    valid = 'nothing does any more';
    await expect(client.manifest(image)).rejects.toMatchObject({ type: 'RegistryUnauthorized' });
    expect((await calls()).length).toBeLessThan(6);
  });

  it('is asked for again when the token server refuses it', async () => {
    let valid = 'oauth-1';
    const server = await hostile((self) => [
      {
        on: 'POST /token',
        reply: ({ body }) =>
          new URLSearchParams(body.toString()).get('refresh_token') === valid
            ? { status: 200, body: JSON.stringify({ access_token: `for-${valid}`, expires_in: 1 }) }
            : { status: 401 },
      },
      {
        on: '* /v2/a/b/manifests/1',
        reply: ({ headers }) =>
          headers.authorization === `Bearer for-${valid}`
            ? found
            : { status: 401, headers: { 'www-authenticate': `Bearer realm="http://${self}/token"` } },
      },
    ]);
    const { logins, calls } = await helper('fake', answer('<token>', 'oauth-$count'));
    const credentials = await logins({ credHelpers: { [server.host]: 'fake' } });
    const client = clientFor({ credentials });
    const image = referenceTo(`${server.host}/a/b:1`);
    await client.manifest(image);
    valid = 'oauth-2';
    await client.manifest(image);
    expect(await calls()).toHaveLength(2);
  });
});
