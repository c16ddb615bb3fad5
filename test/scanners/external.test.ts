import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Digest } from '../../src/contract/brand.js';
import type { ExternalScanner, Policy } from '../../src/contract/run.js';
import { debian } from '../../src/demo/fleet/packages.js';
import { SourceFetcher } from '../../src/mirror/fetch.js';
import { digestOf, parseDigest } from '../../src/registry/digest.js';
import { parseManifest } from '../../src/registry/manifest.js';
import { readFindings, readLastVerdict } from '../../src/scanners/verdict-store.js';
import { isRunning } from '../support/running.js';
import { sarif } from './sarif-samples.js';
import { imageOf, LAYOUT, OUTPUT, POLICY, startWorld, stepContext, type World } from './world.js';

/** An image of its own for each test, so that none finds another's evidence. */
const image = (name: string, version = '9:1', release = '11.11') =>
  imageOf(
    (arch) => debian(release, [{ name: 'zlib1g', source: 'zlib', version }], arch),
    () => [{ path: 'name', content: name }],
  );
const AMD64 = { platforms: ['linux/amd64'] };

/** What a scanner finds that Trivy does not. */
const ONLY_THEIRS = sarif([
  {
    ruleId: 'CVE-2026-1000',
    properties: { package: 'made-up', installed: '1', fixed: '2', severity: 'critical' },
  },
]);

describe('a scanner beside Trivy', () => {
  let world: World;
  let scripts = 0;
  beforeAll(async () => {
    world = await startWorld();
    await writeFile(join(world.directory, 'theirs.sarif'), ONLY_THEIRS);
  });
  afterAll(() => world.stop());

  /** A program that gets the layout as `$1` and where to write as `$2`. */
  const scanner = async (body: string, changes: Partial<ExternalScanner> = {}): Promise<ExternalScanner> => {
    const path = join(world.directory, `scanner-${++scripts}`);
    await writeFile(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    return {
      name: 'mine',
      command: path,
      args: [LAYOUT, OUTPUT],
      env: [],
      files: [],
      timeoutSeconds: 60,
      ...changes,
    };
  };
  const writesTheirs = () => `cp '${join(world.directory, 'theirs.sarif')}' "$2"`;
  /** Trivy itself as any other program. */
  const SECOND: ExternalScanner = {
    name: 'second',
    command: 'trivy',
    args: [
      ...['image', '--input', LAYOUT, '--format', 'sarif', '--output', OUTPUT, '--scanners', 'vuln'],
      ...['--skip-db-update', '--skip-java-db-update', '--offline-scan', '--cache-backend', 'memory'],
    ],
    env: ['TRIVY_CACHE_DIR'],
    files: [],
    timeoutSeconds: 60,
  };

  it('that finds the same makes one finding of both, and says who found it', async () => {
    const task = await world.task(image('same', '1:1.2.11.dfsg-2'), { scanners: [SECOND] });
    const verdict = await world.scanner().scan(task, stepContext());
    expect(verdict).toMatchObject({ decision: 'block', platforms: [{}, {}] });
    for (const platform of verdict.platforms) {
      expect(platform).toMatchObject({ counts: { CRITICAL: 1 }, fixable: { CRITICAL: 1 } });
      expect(platform.others).toMatchObject([
        {
          scanner: 'second',
          evidence: { key: expect.stringMatching(/^scans\/[0-9a-f]{64}\/second\/.*\.sarif$/) },
        },
      ]);
      expect(await readFindings(world.evidence, platform)).toMatchObject([
        {
          id: 'CVE-2022-37434',
          package: 'zlib1g',
          installed: '1:1.2.11.dfsg-2',
          fixed: '1:1.2.11.dfsg-2+deb11u2',
          severity: 'CRITICAL',
          foundBy: ['second', 'trivy'],
        },
      ]);
    }
    expect(await readLastVerdict(world.evidence, task.sourceDigest, [])).toMatchObject(verdict);
  });

  it('that finds more decides as Trivy does', async () => {
    const alone = await world.task(image('more'), AMD64);
    expect((await world.scanner().scan(alone, stepContext())).decision).toBe('pass');
    const task = { ...alone, scanners: [await scanner(writesTheirs())] };
    const verdict = await world.scanner().scan(task, stepContext());
    expect(verdict).toMatchObject({
      decision: 'block',
      rule: '1 fixable CRITICAL on linux/amd64 (CVE-2026-1000 in made-up 1, fixed in 2)',
    });
  });

  it('counts where Trivy sees nothing, and what Trivy does not know is still said', async () => {
    const task = await world.task(image('unknown', '1', '99.1'), {
      ...AMD64,
      scanners: [await scanner(writesTheirs())],
    });
    const verdict = await world.scanner().scan(task, stepContext());
    expect(verdict).toMatchObject({
      decision: 'block',
      platforms: [
        { status: 'not-scannable', counts: { CRITICAL: 1 }, reason: expect.stringContaining('debian 99') },
      ],
    });
  });

  it('reads the image as it is: manifest, config and DiffIDs of its own, every blob whole', async () => {
    const built = image('own');
    const kept = join(world.directory, 'kept');
    const check = await scanner(
      `set -e; ${writesTheirs()}; cp -r "$1" '${kept}'; cd "$1/blobs/sha256"; for f in *; do echo "$f  $f"; done | sha256sum -c >&2`,
    );
    const task = await world.task(built, { ...AMD64, scanners: [check] });
    await world.scanner().scan(task, stepContext());
    const index = JSON.parse(await readFile(join(kept, 'index.json'), 'utf8'));
    expect(index.manifests).toEqual([
      { ...built.manifests[0]?.descriptor, platform: { os: 'linux', architecture: 'amd64' } },
    ]);
    const manifest = parseManifest(built.manifests[0]?.bytes ?? Buffer.alloc(0), 'test');
    if (manifest.kind !== 'manifest') throw new Error('a platform has a manifest');
    const names = [built.manifests[0]?.descriptor, manifest.config, ...manifest.layers].map((one) =>
      one?.digest.slice('sha256:'.length),
    );
    expect((await readdir(join(kept, 'blobs', 'sha256'))).sort()).toEqual(names.sort());
  });

  it('that spoils its layout spoils neither the content store nor what the next one sees', async () => {
    const vandal = await scanner(
      `set -e; for f in "$1"/blobs/sha256/*; do chmod 666 "$f"; echo spoilt > "$f"; done; ${writesTheirs()}`,
      { name: 'vandal' },
    );
    const careful = await scanner(
      `set -e; cd "$1/blobs/sha256"; for f in *; do echo "$f  $f"; done | sha256sum -c >&2; ${writesTheirs()}`,
      { name: 'careful' },
    );
    const built = image('spoilt');
    const task = await world.task(built, { ...AMD64, scanners: [vandal, careful] });
    const verdict = await world.scanner().scan(task, stepContext());
    expect(verdict.platforms[0]?.others).toHaveLength(2);
    const blobs = await readdir(join(world.content.directory, 'blobs', 'sha256'));
    const whole = await Promise.all(blobs.map((hex) => world.content.check(parseDigest(`sha256:${hex}`))));
    expect(whole.every(Boolean)).toBe(true);
    expect(await readdir(join(world.content.directory, 'scans'))).toEqual([]);
  });

  it('finds none of Trivy’s links to the content store beside its copy', async () => {
    const kept = join(world.directory, 'beside');
    const looks = await scanner(`ls "$1/.." > '${kept}'; ${writesTheirs()}`);
    await world
      .scanner()
      .scan(await world.task(image('beside'), { ...AMD64, scanners: [looks] }), stepContext());
    expect((await readFile(kept, 'utf8')).split('\n')).not.toContain('run');
  });

  it('is not asked again in the same run, but in the next one, since its database is its own affair', async () => {
    const calls = join(world.directory, 'calls');
    await mkdir(calls);
    const counting = await scanner(`mktemp -p '${calls}' > /dev/null; ${writesTheirs()}`);
    const task = await world.task(image('again'), { ...AMD64, scanners: [counting] });
    const times = async (changes: Partial<typeof task> = {}): Promise<number> => {
      await world.scanner().scan({ ...task, ...changes }, stepContext());
      return (await readdir(calls)).length;
    };
    expect(await times()).toBe(1);
    const context = stepContext();
    await world.scanner().scan(task, context);
    expect(context.phases).not.toContain('scan');
    expect(await times()).toBe(1);
    expect(await times({ runId: 'another' })).toBe(2);
    expect(await times({ scanners: [{ ...counting, timeoutSeconds: 30 }] })).toBe(2);
    expect(await times({ scanners: [{ ...counting, args: [...counting.args, '--more'] }] })).toBe(3);
  });

  it('that is run twice at once, and finds differently, gives both verdicts the same evidence', async () => {
    const calls = join(world.directory, 'at-once');
    await mkdir(calls);
    // Each waits for the other, so that neither finds what the other wrote.
    const fickle = await scanner(
      `mktemp -p '${calls}' > /dev/null; until [ "$(ls '${calls}' | wc -l)" -ge 2 ]; do sleep 0.05; done; sed "s/made-up/made-up-$$/" '${join(world.directory, 'theirs.sarif')}' > "$2"`,
    );
    const task = await world.task(image('at-once'), { ...AMD64, scanners: [fickle] });
    const scan = () => world.scanner().scan(task, stepContext());
    const [one, other] = await Promise.all([scan(), scan()]);
    expect(other).toEqual(one);
    const [platform] = one.platforms;
    if (platform === undefined) throw new Error('no platform');
    const [found] = await readFindings(world.evidence, platform);
    expect(one.rule).toContain(`CVE-2026-1000 in ${found?.package} 1`);
  });

  it('whose evidence was damaged is asked again', async () => {
    const task = await world.task(image('damaged'), { ...AMD64, scanners: [await scanner(writesTheirs())] });
    const first = await world.scanner().scan(task, stepContext());
    const { key } = first.platforms[0]?.others?.[0]?.evidence ?? { key: '' };
    await world.evidence.put(key, '{"version":');
    expect(await world.scanner().scan(task, stepContext())).toEqual(first);
  });

  it('whose evidence is gone later, or was changed, leaves no findings that can be read', async () => {
    const task = await world.task(image('gone'), { ...AMD64, scanners: [await scanner(writesTheirs())] });
    const [platform] = (await world.scanner().scan(task, stepContext())).platforms;
    if (platform === undefined) throw new Error('no platform');
    expect(await readFindings(world.evidence, platform)).toMatchObject([{ foundBy: ['mine'] }]);
    await world.evidence.put(platform.others?.[0]?.evidence.key ?? '', sarif([]));
    await expect(readFindings(world.evidence, platform)).rejects.toMatchObject({
      type: 'EvidenceUnavailable',
    });
  });

  describe('has failed', () => {
    it.each([
      [
        'when its code is not 0, whatever it wrote',
        () => `${writesTheirs()}; echo boom >&2; exit 1`,
        /code 1.*only 0.*boom/,
      ],
      ['when a signal ends it', () => `${writesTheirs()}; kill -KILL $$`, /code 137/],
      ['when it writes nothing', () => 'echo fine', /wrote nothing to \$\{output\}.*fine/],
      ['when it writes an empty file', () => ': > "$2"', /wrote nothing/],
      ['when it writes garbage', () => 'echo garbage > "$2"', /not JSON/],
      ['when it writes without an end', () => 'head -c 68000000 /dev/zero > "$2"', /67108864/],
      ['when it takes too long', () => 'exec sleep 1000', /longer than 1 s/],
    ])('%s', async (name, body, why) => {
      const bad = await scanner(body(), { timeoutSeconds: name.includes('long') ? 1 : 60 });
      const task = await world.task(image(name), { ...AMD64, scanners: [bad] });
      const failure = await world
        .scanner()
        .scan(task, stepContext())
        .catch((error: unknown) => error);
      expect(failure).toMatchObject({
        type: 'ScannerFailed',
        message: expect.stringContaining('scanner mine'),
      });
      expect(failure).toMatchObject({ message: expect.stringMatching(why) });
      expect(await readLastVerdict(world.evidence, task.sourceDigest, task.platforms)).toBeUndefined();
      expect(await readdir(join(world.content.directory, 'scans'))).toEqual([]);
    });

    it('when its command is not there', async () => {
      const absent = await scanner('', { command: '/no/such/scanner' });
      const task = await world.task(image('absent'), { ...AMD64, scanners: [absent] });
      await expect(world.scanner().scan(task, stepContext())).rejects.toMatchObject({
        type: 'ScannerFailed',
      });
    });
  });

  it('that is cancelled ends at once, and nothing is left of it', async () => {
    const pid = join(world.directory, 'scanner.pid');
    const hanging = await scanner(`echo $$ > '${pid}.tmp' && mv '${pid}.tmp' '${pid}'; exec sleep 1000`);
    const cancel = new AbortController();
    const task = await world.task(image('cancelled'), { ...AMD64, scanners: [hanging] });
    const scan = world.scanner().scan(task, stepContext(cancel.signal));
    await expect.poll(() => stat(pid).then(Boolean, () => false), { timeout: 20_000 }).toBe(true);
    cancel.abort(new Error('stop'));
    await expect(scan).rejects.toThrow('stop');
    await expect.poll(async () => isRunning(Number(await readFile(pid, 'utf8')))).toBe(false);
    expect(await readdir(join(world.content.directory, 'scans'))).toEqual([]);
  });

  it('of the examples finds a private key in a layer, with its file from the template', async () => {
    const script = await readFile(
      new URL('../../templates/examples/files/second-scanner.mjs', import.meta.url),
    );
    const file = await world.evidence.put('templates/files/second-scanner.mjs', script);
    const example: ExternalScanner = {
      name: 'private-keys',
      command: 'node',
      args: ['second-scanner.mjs', '--layout', LAYOUT, '--output', OUTPUT],
      env: [],
      files: [{ path: 'second-scanner.mjs', evidence: file, executable: false }],
      timeoutSeconds: 60,
    };
    const key = `${['-----BEGIN', 'PRIVATE', 'KEY-----'].join(' ')}\nabc\n`;
    const leaking = imageOf(
      (arch) => debian('11.11', [{ name: 'zlib1g', source: 'zlib', version: '9:1' }], arch),
      () => [{ path: 'root/deploy.pem', content: key }],
    );
    const policy: Policy = { ...POLICY, failOn: 'HIGH', fixableOnly: false };
    const task = await world.task(leaking, { ...AMD64, policy, scanners: [example] });
    expect(await world.scanner().scan(task, stepContext())).toMatchObject({
      decision: 'block',
      rule: '1 HIGH on linux/amd64 (PRIVATE-KEY in root/deploy.pem, no fix yet)',
    });
  });

  it('looks at no image whose base layers are foreign', async () => {
    const calls = join(world.directory, 'foreign');
    const task = await world.task(image('foreign'), { scanners: [await scanner(`touch '${calls}'`)] });
    const fetcher = new SourceFetcher(world.client, world.content);
    const original = fetcher.image.bind(fetcher);
    fetcher.image = async (...args) => {
      const tree = await original(...args);
      for (const { layers } of tree.platforms) for (const layer of layers) layer.foreign = true;
      return tree;
    };
    const verdict = await world.scanner({ fetcher }).scan(task, stepContext());
    expect(verdict.platforms.map(({ status, others }) => [status, others])).toEqual([
      ['not-scannable', undefined],
      ['not-scannable', undefined],
    ]);
    await expect(stat(calls)).rejects.toThrow('ENOENT');
  });

  it('leaves what it wrote as it was, by its digest', async () => {
    const task = await world.task(image('bytes'), { ...AMD64, scanners: [await scanner(writesTheirs())] });
    const [platform] = (await world.scanner().scan(task, stepContext())).platforms;
    const ref: { key: string; digest: Digest } | undefined = platform?.others?.[0]?.evidence;
    expect(ref?.digest).toBe(digestOf(ONLY_THEIRS));
    expect(await world.evidence.get(ref?.key ?? '')).toEqual(ONLY_THEIRS);
  });
});
