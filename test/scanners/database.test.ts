import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DatabasePin } from '../../src/contract/verdict.js';
import { debian } from '../../src/demo/fleet/packages.js';
import { publishVulnerabilityDb } from '../../src/demo/fleet/publish.js';
import { javaDb, vulnerabilityDb, writeCacheDir } from '../../src/demo/trivy-db.js';
import { RegistryClient } from '../../src/registry/client.js';
import { anonymous } from '../../src/registry/credentials.js';
import { formatReference, parseReference } from '../../src/registry/reference.js';
import type { TrivyOptions } from '../../src/scanners/trivy.js';
import { imageOf, LOCAL, startWorld, stepContext, UPDATED_AT, type World } from './world.js';

const hoursAgo = (hours: number): string => new Date(Date.now() - hours * 3_600_000).toISOString();
const ALWAYS = 24 * 365 * 100;
const short = (digest: string | null): string => digest?.slice(7, 23) ?? 'local';
/** What lies on disk for a pin. */
const namesOf = ({ digest, javaDigest }: DatabasePin): string[] =>
  [
    `db-${short(digest)}`,
    `java-${short(javaDigest)}`,
    `${short(digest)}-${short(javaDigest)}`,
    'in-use',
  ].sort();

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
  const at = (name: string) => formatReference(parseReference(`${world.host}/${name}`));
  /** A worker with an empty cache directory that fetches both databases. */
  const worker = (changes: Partial<TrivyOptions> = {}) => {
    const cacheDir = join(world.directory, `worker-${++workers}`);
    const scanner = world.scanner({ cacheDir, skipDbUpdate: false, skipJavaDbUpdate: false, ...changes });
    return { scanner, cacheDir, pinned: async () => (await readdir(join(cacheDir, 'pinned'))).sort() };
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
    expect(await pinned()).toEqual(namesOf(before));
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
    expect(await other.pinned()).toEqual(namesOf(pin));
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
    await expect.poll(() => registry.heads).toBe(9); // two databases each, and what the first fetches: all wait for it
    cancel.abort();
    expect(await first).toBe('cancelled');
    expect(new Set((await Promise.all(others)).map(({ digest }) => digest)).size).toBe(1);
    expect(await readFile(join(directory, 'downloads'), 'utf8')).toBe('x\nx\n');
    expect(await pinned()).toHaveLength(4);
    await registry.close();
  });

  it('is fetched alone when the Java one, which is large, stayed the same', async () => {
    const calls = join(world.directory, 'downloads');
    const program = join(world.directory, 'trivy-counted');
    const script = `case "$*" in *--download-*) echo "$*" | grep -o 'download-[a-z-]*' >> '${calls}';; esac`;
    await writeFile(program, `#!/bin/sh\n${script}\nexec trivy "$@"\n`, { mode: 0o755 });
    const { scanner, pinned } = worker({ program });
    const put = (hours: number) =>
      publishVulnerabilityDb(world.client, world.host, { updatedAt: hoursAgo(hours) });
    await put(9);
    const first = await scanner.pinDatabase(48, stepContext());
    await put(8);
    // Only the small one is another: its tag stays, and the Java one's goes back to what it was.
    const java = await world.client.manifest(at(`aquasec/trivy-java-db@${first.javaDigest}`));
    if (java === undefined) throw new Error('no Java database');
    await world.client.putManifest(at('aquasec/trivy-java-db:1'), java);
    const second = await scanner.pinDatabase(48, stepContext());
    expect(second).toMatchObject({ javaDigest: first.javaDigest });
    expect(second.digest).not.toBe(first.digest);
    expect(await readFile(calls, 'utf8')).toBe('download-db-only\ndownload-java-db-only\ndownload-db-only\n');
    expect(await pinned()).toEqual([...new Set([...namesOf(first), ...namesOf(second)])].sort());
    const task = await world.task(
      imageOf((arch) => debian('11.1', [{ name: 'zlib1g', source: 'zlib', version: '1' }], arch)),
      { database: second },
    );
    expect((await scanner.scan(task, stepContext())).decision).toBe('block');
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

  it('is looked at once, and again when it or Trivy has changed', async () => {
    const directory = join(world.directory, 'asked');
    const program = join(directory, 'trivy-asked');
    const calls = join(directory, 'calls');
    const install = (version: string) =>
      writeFile(program, `#!/bin/sh\n# ${version}\necho ${version} >> '${calls}'\nexec trivy "$@"\n`, {
        mode: 0o755,
      });
    const update = (updatedAt: string) =>
      writeCacheDir(directory, [vulnerabilityDb({ updatedAt }), javaDb({ updatedAt })]);
    await update(UPDATED_AT);
    await install('old');
    const { scanner } = worker({ program, cacheDir: directory, skipDbUpdate: true, skipJavaDbUpdate: true });
    const pinned = async () => (await scanner.pinDatabase(ALWAYS, stepContext())).updatedAt;
    expect([await pinned(), await pinned()]).toEqual([UPDATED_AT, UPDATED_AT]);
    expect(await readFile(calls, 'utf8')).toBe('old\n');
    await update('2026-11-02T00:00:00.000Z');
    expect(await pinned()).toBe('2026-11-02T00:00:00.000Z');
    expect(await readFile(calls, 'utf8')).toBe('old\nold\n');
    await install('new');
    expect(await pinned()).toBe('2026-11-02T00:00:00.000Z');
    expect(await readFile(calls, 'utf8')).toBe('old\nold\nnew\n');
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

  it('that is not there, with updates off, is said to be missing, and is not waited for', async () => {
    const { scanner, cacheDir } = worker({ skipDbUpdate: true, skipJavaDbUpdate: true });
    await expect(scanner.pinDatabase(48, stepContext())).rejects.toMatchObject({
      type: 'DatabaseMisconfigured',
      retryable: false,
      message: expect.stringContaining(cacheDir),
    });
  });

  it('may come from the second of several repositories, and its tag may be left out', async () => {
    const dbRepository = `${world.host}/nobody/nothing,${world.host}/aquasec/trivy-db`;
    const pin = await worker({ dbRepository }).scanner.pinDatabase(48, stepContext());
    expect(pin.digest).toMatch(/^sha256:/);
  });

  it('that was damaged on disk is named, with what to do', async () => {
    const { scanner, cacheDir } = worker();
    const pin = await scanner.pinDatabase(48, stepContext());
    const directory = join(cacheDir, 'pinned', `db-${short(pin.digest)}`);
    for (const file of ['trivy.db', 'metadata.json']) {
      await rm(join(directory, 'db', file));
      await expect(scanner.pinDatabase(48, stepContext())).rejects.toMatchObject({
        type: 'DatabaseUnavailable',
        message: expect.stringMatching(new RegExp(`${directory} can't be read.*remove it`)),
      });
      await rm(directory, { recursive: true });
      expect(await scanner.pinDatabase(48, stepContext())).toEqual(pin);
    }
  });
});
