import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { debian } from '../../src/demo/fleet/packages.js';
import { publishVulnerabilityDb } from '../../src/demo/fleet/publish.js';
import { RegistryClient } from '../../src/registry/client.js';
import { anonymous, type CredentialProvider } from '../../src/registry/credentials.js';
import { networkError } from '../../src/registry/errors.js';
import type { TrivyOptions } from '../../src/scanners/trivy.js';
import { startRegistry, TEST_LOGIN, type TestRegistry } from '../support/registry-server.js';
import { imageOf, startWorld, stepContext, type World } from './world.js';

const updatedAt = (): string => new Date(Date.now() - 3_600_000).toISOString();

/** What the system's resolver says of a name; here, too, where a test's machine has none to ask. */
class Resolver extends RegistryClient {
  override async head(...args: Parameters<RegistryClient['head']>) {
    const [host = ''] = args[0].split('/');
    const code = { 'typo.example': 'ENOTFOUND', 'slow.example': 'EAI_AGAIN' }[host];
    if (code === undefined) return super.head(...args);
    throw networkError(Object.assign(new Error('getaddrinfo'), { code }), host);
  }
}

describe('the repositories of a database', () => {
  let world: World;
  let closed: TestRegistry;
  let registry: RegistryClient;
  let workers = 0;
  const pin = (changes: Partial<TrivyOptions>) =>
    world
      .scanner({
        cacheDir: join(world.directory, `worker-${++workers}`),
        skipDbUpdate: false,
        skipJavaDbUpdate: false,
        registry,
        ...changes,
      })
      .pinDatabase(48, stepContext());

  beforeAll(async () => {
    world = await startWorld();
    closed = await startRegistry({ htpasswd: true });
    registry = new Resolver({ credentials: anonymous, insecureHosts: [] });
    await publishVulnerabilityDb(world.client, world.host, { updatedAt: updatedAt() });
  });
  afterAll(async () => {
    await registry.close();
    await closed.stop();
    await world.stop();
  });

  it.each([
    ['dbRepository', 'TRIVY_DB_REPOSITORY'],
    ['javaDbRepository', 'TRIVY_JAVA_DB_REPOSITORY'],
  ] as const)('that have none name the setting to change (%s)', async (option, setting) => {
    await expect(pin({ [option]: `${world.host}/nobody/nothing` })).rejects.toMatchObject({
      type: 'DatabaseMisconfigured',
      message: expect.stringMatching(new RegExp(`${world.host}/nobody/nothing.*${setting}`)),
    });
  });

  it('that are unknown, refuse us or make no sense are not asked again: each says why', async () => {
    const list = ['/nobody/nothing', 'closed', 'typo.example/db', 'A B'];
    const names = list.map((one) =>
      one.replace(/^\//, `${world.host}/`).replace('closed', `${closed.host}/db`),
    );
    for (const dbRepository of [...names, names.join(', ')])
      await expect(pin({ dbRepository }), dbRepository).rejects.toMatchObject({
        type: 'DatabaseMisconfigured',
        retryable: false,
      });
    await expect(pin({ dbRepository: names.join(',') })).rejects.toThrow(
      /nobody\/nothing:2 does not exist; .*asks for a user and a password.*; typo.example.*name is not known.*; .*not an image reference/,
    );
  });

  it('are asked again while one of them may yet answer', async () => {
    for (const passing of ['slow.example/db', '127.0.0.1:1/db'])
      for (const dbRepository of [passing, `${world.host}/nobody/nothing,${passing}`])
        await expect(pin({ dbRepository }), dbRepository).rejects.toMatchObject({
          type: 'DatabaseUnavailable',
          retryable: true,
        });
  });

  it('are tried in their order, and a tag may be left out', async () => {
    const dbRepository = `${world.host}/nobody/nothing,${world.host}/aquasec/trivy-db`;
    expect((await pin({ dbRepository })).digest).toMatch(/^sha256:/);
  });

  it('that lost a pinned digest are not asked for it again', async () => {
    const { host } = world;
    const database = await pin({});
    const scanner = world.scanner({
      cacheDir: join(world.directory, 'late'),
      dbRepository: `${host}/aquasec/trivy-java-db`,
      registry,
    });
    const task = await world.task(
      imageOf((arch) => debian('12.1', [], arch)),
      { database },
    );
    await expect(scanner.scan(task, stepContext())).rejects.toMatchObject({
      type: 'DatabaseMisconfigured',
      message: expect.stringContaining(`${host}/aquasec/trivy-java-db@${database.digest} does not exist`),
    });
  });

  it('may want a login, which Trivy gets for that host alone', async () => {
    const credentials: CredentialProvider = {
      forHost: async (host) =>
        host === closed.host
          ? { kind: 'password', ...TEST_LOGIN }
          : { kind: 'password', user: 'x', password: 'x' },
    };
    const client = new RegistryClient({ credentials, insecureHosts: [] });
    try {
      const repositories = await publishVulnerabilityDb(client, closed.host, { updatedAt: updatedAt() });
      const options = { ...repositories, registry: client };
      expect((await pin({ ...options, credentials })).digest).toMatch(/^sha256:/);
      await expect(pin(options)).rejects.toMatchObject({
        type: 'DatabaseUnavailable',
        message: expect.stringMatching(/UNAUTHORIZED|authentication/),
      });
    } finally {
      await client.close();
    }
  });

  it('that redirect to a signed URL do not get its signature into a message', async () => {
    const program = join(world.directory, 'trivy-signed');
    const url = `https://blobs.example/db?X-Amz-Algorithm=${'a'.repeat(300)}&sig=CANARY`;
    const lines = {
      whole: `FATAL Fatal error run error: failed to fetch blob: Get "${url}": connection reset`,
      // Only the end of what Trivy wrote is kept: this cuts the URL in two, and leaves no FATAL.
      cut: `Get ${url.replace('sig=', `pad=${'b'.repeat(9000)}&sig=`)} : connection reset`,
    };
    for (const [name, line] of Object.entries(lines)) {
      await writeFile(program, `#!/bin/sh\ncat >&2 <<'END'\n${line}\nEND\nexit 1\n`, { mode: 0o755 });
      const fault: unknown = await pin({ program }).catch((error: unknown) => error);
      expect(fault, name).toMatchObject({ type: 'DatabaseUnavailable' });
      expect(String(fault), name).toContain('connection reset');
      expect(String(fault), name).not.toMatch(/CANARY|sig=|aaaa|bbbb/);
    }
  });
});
