import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { debian } from '../../src/demo/fleet/packages.js';
import { publishVulnerabilityDb } from '../../src/demo/fleet/publish.js';
import { RegistryClient } from '../../src/registry/client.js';
import { anonymous, type CredentialProvider } from '../../src/registry/credentials.js';
import type { TrivyOptions } from '../../src/scanners/trivy.js';
import { startRegistry, TEST_LOGIN } from '../support/registry-server.js';
import { imageOf, LOCAL, startWorld, stepContext, UPDATED_AT, type World } from './world.js';

const hoursAgo = (hours: number): string => new Date(Date.now() - hours * 3_600_000).toISOString();
const ALWAYS = 24 * 365 * 100;

class CountingClient extends RegistryClient {
  heads = 0;
  override async head(...args: Parameters<RegistryClient['head']>) {
    const found = await super.head(...args);
    this.heads++;
    return found;
  }
}

describe('the vulnerability database', () => {
  let world: World;
  let workers = 0;
  /** A worker with an empty cache directory that fetches both databases. */
  const worker = (changes: Partial<TrivyOptions> = {}) => {
    const cacheDir = join(world.directory, `worker-${++workers}`);
    const scanner = world.scanner({ cacheDir, skipDbUpdate: false, skipJavaDbUpdate: false, ...changes });
    return { scanner, cacheDir, pinned: () => readdir(join(cacheDir, 'pinned')) };
  };

  beforeAll(async () => {
    world = await startWorld();
  });
  beforeEach(async () => {
    await publishVulnerabilityDb(world.client, world.host, { updatedAt: hoursAgo(5) });
  });
  afterAll(() => world.stop());

  it('is fetched by the digest that the tag has now, and that is what the run is pinned to', async () => {
    const { scanner, pinned } = worker();
    const before = await scanner.pinDatabase(48, stepContext());
    const again = await scanner.pinDatabase(48, stepContext());
    expect(again).toEqual(before);
    expect(before.digest).toMatch(/^sha256:/);
    expect(before.javaDigest).toMatch(/^sha256:/);
    expect(await pinned()).toHaveLength(1);
  });

  it('stays the same for a run on another worker, after the tag has moved on', async () => {
    const pin = await worker().scanner.pinDatabase(48, stepContext());
    await publishVulnerabilityDb(world.client, world.host, { updatedAt: hoursAgo(1) });
    const other = worker();
    const task = await world.task(
      imageOf((arch) => debian('12.1', [], arch)),
      { database: pin },
    );
    const verdict = await other.scanner.scan(task, stepContext());
    expect(verdict.database).toEqual(pin);
    expect(await other.pinned()).toEqual([`${pin.digest?.slice(7, 23)}-${pin.javaDigest?.slice(7, 23)}`]);
    expect((await other.scanner.pinDatabase(48, stepContext())).digest).not.toBe(pin.digest);
  });

  it('is downloaded once by those who want it at the same time; cancelling one fails no other', async () => {
    const directory = join(world.directory, 'gate');
    await mkdir(directory);
    // The first download hangs until it is killed, and every one leaves a line.
    const program = join(directory, 'trivy-gated');
    const script = `case "$*" in *--download-db-only*) echo x >> '${directory}/downloads'; mkdir '${directory}/first' 2>/dev/null && sleep 1000;; esac`;
    await writeFile(program, `#!/bin/sh\n${script}\nexec trivy "$@"\n`, { mode: 0o755 });
    const registry = new CountingClient({ credentials: anonymous, insecureHosts: [] });
    const { scanner, pinned } = worker({ program, registry });
    const cancel = new AbortController();
    const first = scanner.pinDatabase(48, stepContext(cancel.signal)).catch(() => 'cancelled');
    await expect.poll(() => readFile(join(directory, 'downloads'), 'utf8').catch(() => '')).toBe('x\n');
    const others = [1, 2, 3].map(() => scanner.pinDatabase(48, stepContext()));
    await expect.poll(() => registry.heads).toBe(8); // two databases each: all of them wait for the first
    cancel.abort();
    expect(await first).toBe('cancelled');
    expect(new Set((await Promise.all(others)).map(({ digest }) => digest)).size).toBe(1);
    expect(await readFile(join(directory, 'downloads'), 'utf8')).toBe('x\nx\n');
    expect(await pinned()).toHaveLength(1);
    await registry.close();
  });

  it('is kept for the last three runs only', async () => {
    const { scanner, pinned } = worker();
    for (const hours of [9, 8, 7, 6]) {
      await publishVulnerabilityDb(world.client, world.host, { updatedAt: hoursAgo(hours) });
      await scanner.pinDatabase(48, stepContext());
    }
    expect(await pinned()).toHaveLength(3);
  });

  it('of this worker is used as it is when updates are off, with a Java one fetched if that is on', async () => {
    const local = world.scanner();
    expect(await local.pinDatabase(ALWAYS, stepContext())).toEqual(LOCAL);
    const mixed = world.scanner({ skipJavaDbUpdate: false });
    const pin = await mixed.pinDatabase(ALWAYS, stepContext());
    expect(pin).toMatchObject({
      updatedAt: UPDATED_AT,
      digest: null,
      javaDigest: expect.stringMatching(/^sha256:/),
    });
    const task = await world.task(
      imageOf((arch) => debian('11.1', [{ name: 'zlib1g', source: 'zlib', version: '1' }], arch)),
      { database: pin },
    );
    expect((await mixed.scan(task, stepContext())).decision).toBe('block');
  });

  it('may lie in a directory that is named relative to where the worker runs', async () => {
    const local = world.scanner({ cacheDir: relative(process.cwd(), world.cacheDir) });
    expect(await local.pinDatabase(ALWAYS, stepContext())).toEqual(LOCAL);
  });

  it('of this worker must be the one that the run is pinned to', async () => {
    const database = { ...LOCAL, updatedAt: '2026-11-02T00:00:00.000Z' };
    const task = await world.task(
      imageOf((arch) => debian('12.1', [], arch)),
      { database },
    );
    await expect(world.scanner().scan(task, stepContext())).rejects.toMatchObject({
      type: 'DatabaseMismatch',
      message: expect.stringMatching(/2026-11-01T.*2026-11-02T/),
    });
  });

  it('that is not there, with updates off, is said to be missing', async () => {
    const { scanner, cacheDir } = worker({ skipDbUpdate: true, skipJavaDbUpdate: true });
    await expect(scanner.pinDatabase(48, stepContext())).rejects.toMatchObject({
      type: 'DatabaseUnavailable',
      message: expect.stringContaining(cacheDir),
    });
  });

  it.each([
    ['dbRepository', 'TRIVY_DB_REPOSITORY'],
    ['javaDbRepository', 'TRIVY_JAVA_DB_REPOSITORY'],
  ] as const)('that no registry has names the setting to change (%s)', async (option, setting) => {
    const { scanner } = worker({ [option]: `${world.host}/nobody/nothing` });
    await expect(scanner.pinDatabase(48, stepContext())).rejects.toMatchObject({
      type: 'DatabaseUnavailable',
      message: expect.stringMatching(new RegExp(`${world.host}/nobody/nothing.*${setting}`)),
    });
  });

  it('may come from the second of several repositories, and its tag may be left out', async () => {
    const dbRepository = `${world.host}/nobody/nothing,${world.host}/aquasec/trivy-db`;
    const pin = await worker({ dbRepository }).scanner.pinDatabase(48, stepContext());
    expect(pin.digest).toMatch(/^sha256:/);
  });

  it('may want a login, which Trivy gets for that host alone', async () => {
    const closed = await startRegistry({ htpasswd: true });
    const credentials: CredentialProvider = {
      forHost: async (host) =>
        host === closed.host
          ? { kind: 'password', ...TEST_LOGIN }
          : { kind: 'password', user: 'x', password: 'x' },
    };
    const registry = new RegistryClient({ credentials, insecureHosts: [] });
    try {
      const { dbRepository, javaDbRepository } = await publishVulnerabilityDb(registry, closed.host, {
        updatedAt: hoursAgo(5),
      });
      const options = { dbRepository, javaDbRepository, registry };
      const pin = await worker({ ...options, credentials }).scanner.pinDatabase(48, stepContext());
      expect(pin.digest).toMatch(/^sha256:/);
      await expect(worker(options).scanner.pinDatabase(48, stepContext())).rejects.toMatchObject({
        type: 'DatabaseUnavailable',
        message: expect.stringMatching(/UNAUTHORIZED|authentication/),
      });
    } finally {
      await registry.close();
      await closed.stop();
    }
  });

  it('that was damaged on disk is named, with what to do', async () => {
    const { scanner, cacheDir, pinned } = worker();
    await scanner.pinDatabase(48, stepContext());
    const [name = ''] = await pinned();
    await rm(join(cacheDir, 'pinned', name, 'db', 'trivy.db'));
    await expect(scanner.pinDatabase(48, stepContext())).rejects.toMatchObject({
      type: 'DatabaseUnavailable',
      message: expect.stringContaining('remove it'),
    });
  });
});
