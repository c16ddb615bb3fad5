import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { sampleFleet } from '../../src/demo/fleet/fleet.js';
import { debian, npm, type Package } from '../../src/demo/fleet/packages.js';
import { javaDb, vulnerabilityDb, writeCacheDir } from '../../src/demo/trivy-db.js';
import { imageOf, POLICY, startWorld, stepContext, type World } from './world.js';

const ZLIB: Package = { name: 'zlib1g', source: 'zlib', version: '1:1.2.11.dfsg-2' };
const VULNERABLE = imageOf((arch) => debian('11.11', [ZLIB], arch));
const LODASH = npm('app', [{ name: 'lodash', version: '4.17.20' }]);

describe('a scan is not fooled', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.stop());

  it('by an index: every platform is scanned, and one that is bad on ARM alone is blocked', async () => {
    const image = sampleFleet().find(({ repository }) => repository === 'plugins/s3');
    if (image === undefined) throw new Error('the fleet has no plugins/s3');
    const verdict = await world.scanner().scan(await world.task(image), stepContext());
    expect(verdict.platforms.map(({ platform, status }) => [platform, status])).toEqual([
      ['linux/amd64', 'clean'],
      ['linux/arm64', 'findings'],
    ]);
    expect(verdict.decision).toBe('block');
    expect(verdict.rule).toMatch(/^1 fixable CRITICAL on linux\/arm64 \(CVE-2024-3094 in xz-utils 5\.6\.0/);
  });

  const osRelease = (id: string) => ({ path: 'etc/os-release', content: `ID=${id}\nVERSION_ID=1\n` });
  it.each([
    ['no package at all', imageOf(() => [{ path: 'bin/tool', content: 'x' }]), 'no operating system'],
    ['an unknown system', imageOf(() => [osRelease('gentoo')]), 'no operating system'],
    [
      'packages of an unknown system',
      imageOf((arch) => [osRelease('arch'), ...debian('12.1', [ZLIB], arch).slice(2)]),
      'packages of an operating system that Trivy does not know',
    ],
    [
      'packages of an unknown system beside those of a language',
      imageOf((arch) => [osRelease('arch'), ...debian('12.1', [ZLIB], arch).slice(2), ...LODASH]),
      'packages of an operating system that Trivy does not know',
    ],
    [
      'a system that Trivy has no advisories for',
      imageOf(() => [osRelease('fedora'), ...LODASH]),
      'fedora 1',
    ],
    ['a version that the database lacks', imageOf((arch) => debian('99.1', [ZLIB], arch)), 'debian 99.1'],
    ['an old version that it lacks', imageOf((arch) => debian('10.13', [ZLIB], arch)), 'debian 10.13'],
    ['a system without its packages', imageOf((arch) => debian('12.1', [], arch)), 'no package of it'],
  ])('by %s: it is not scannable, never clean', async (_, image, reason) => {
    const verdict = await world.scanner().scan(await world.task(image), stepContext());
    expect(verdict.decision).toBe('warn');
    expect(verdict.platforms.map(({ status }) => status)).toEqual(['not-scannable', 'not-scannable']);
    expect(verdict.rule).toContain(reason);
  });

  it('by a static image with packages of a language: those are looked up', async () => {
    const verdict = await world.scanner().scan(await world.task(imageOf(() => LODASH)), stepContext());
    expect(verdict.platforms[0]).toMatchObject({ status: 'findings', counts: { HIGH: 1 } });
    expect(verdict.rule).toMatch(/packages of languages alone, since no operating system was recognised$/);
  });

  describe('by what lies around it', () => {
    const home = process.cwd();
    let directory: string;
    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'image-factory-fooled-'));
      await writeFile(join(directory, '.trivyignore'), 'CVE-2022-37434\n');
      await writeFile(join(directory, 'trivy.yaml'), 'severity: [LOW]\nignore-unfixed: true\n');
      vi.stubEnv('TRIVY_SEVERITY', 'LOW');
      vi.stubEnv('TRIVY_IGNOREFILE', join(directory, '.trivyignore'));
      vi.stubEnv('TRIVY_CONFIG', join(directory, 'trivy.yaml'));
      process.chdir(directory);
    });
    afterAll(async () => {
      vi.unstubAllEnvs();
      process.chdir(home);
      await rm(directory, { recursive: true });
    });

    it('in its working directory or its environment', async () => {
      const verdict = await world.scanner().scan(await world.task(VULNERABLE), stepContext());
      expect(verdict.platforms[0]?.counts.CRITICAL).toBe(1);
    });
  });

  it('by an old database: the run stops with both dates', async () => {
    const cacheDir = join(world.directory, 'old');
    const updatedAt = '2020-10-01T00:00:00Z';
    await writeCacheDir(cacheDir, [vulnerabilityDb({ updatedAt }), javaDb({ updatedAt })]);
    await expect(world.scanner({ cacheDir }).pinDatabase(48, stepContext())).rejects.toMatchObject({
      type: 'DatabaseTooOld',
      message: expect.stringMatching(
        /2020-10-01T00:00:00.000Z.*now it is 20\d\d-.*48 hours.*TRIVY_SKIP_DB_UPDATE/,
      ),
    });
  });

  it('by what is attached to the image: Trivy gets no reference to ask a registry about', async () => {
    const task = await world.task(VULNERABLE);
    const arguments_ = join(world.directory, 'arguments');
    const program = join(world.directory, 'trivy-recorder');
    await writeFile(program, `#!/bin/sh\necho "$@" >> '${arguments_}'\nexec trivy "$@"\n`, { mode: 0o755 });
    await world.scanner({ program, evidence: emptyEvidence(world) }).scan(task, stepContext());
    const calls = await readFile(arguments_, 'utf8');
    expect(calls).toContain('--input image');
    expect(calls).not.toMatch(/--sbom-sources|--vex|--ignore-unfixed|--severity|--ignore-status/);
    expect(calls).not.toContain(world.host);
  });

  it('by a filter: the raw report that is kept as evidence has what an exception takes out', async () => {
    const exceptions = [
      { id: 'CVE-2022-37434', owner: 'ci', reason: 'not reachable', expires: '9999-12-31' },
    ];
    const task = await world.task(VULNERABLE, { policy: { ...POLICY, exceptions } });
    const verdict = await world.scanner().scan(task, stepContext());
    expect(verdict).toMatchObject({ decision: 'pass', platforms: [{ suppressed: 1 }, { suppressed: 1 }] });
    const raw = await world.evidence.get(verdict.platforms[0]?.evidence.key ?? '');
    expect(raw?.toString()).toContain('"VulnerabilityID": "CVE-2022-37434"');
    expect(raw?.toString()).not.toContain(world.directory);
  });
});

/** The same store without what earlier scans left, so that Trivy runs. */
const emptyEvidence = ({ evidence }: World): World['evidence'] =>
  Object.assign(Object.create(evidence) as World['evidence'], { get: async () => undefined }); // all but `get` is inherited
