import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { demoFleet, type FleetImage } from '../../src/demo/fleet/fleet.js';
import { publishFleet } from '../../src/demo/fleet/publish.js';
import { vulnerabilityDb } from '../../src/demo/trivy-db.js';
import { digestOf } from '../../src/registry/digest.js';
import { topLevelBuckets } from '../../src/scanners/bbolt-buckets.js';
import { hasAdvisories } from '../../src/scanners/os-advisories.js';
import { temporaryDirectory } from '../support/directory.js';
import { sampleFields } from '../support/harness.js';
import { startWorld, stepContext, type World } from './world.js';

const run = promisify(execFile);

const hasWindows = ({ top }: FleetImage) => top.bytes.includes('"os":"windows"');

describe('the demo fleet', () => {
  const fleet = demoFleet();
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.stop());

  it('has the same bytes on any machine, on any day', () => {
    const digests = (images: typeof fleet) => images.map(({ top }) => top.descriptor.digest);
    expect(digests(demoFleet())).toEqual(digests(fleet));
    expect(digestOf(digests(fleet).join())).toBe(
      'sha256:28424a0946555cf0404d758203ed281b37e8dee4ad0f3004b4776cf1bb70afc4',
    );
  });

  it('is what Harness documents: 48 fields and 40 images, of which one is also for Windows', () => {
    const fields = fleet.flatMap((image) =>
      image.fields.map((field) => [field, `${image.repository}:${image.tag}`]),
    );
    expect(Object.fromEntries(fields)).toEqual(sampleFields('default-config.k8.json'));
    expect(fleet).toHaveLength(40);
    expect(fleet.filter(hasWindows).map(({ repository }) => repository)).toEqual(['plugins/artifactory']);
  });

  it('shares base layers between images and nothing but metadata between platforms', () => {
    const blobs = fleet.flatMap((image) => image.blobs.map(({ descriptor }) => descriptor));
    const distinct = new Map(blobs.map(({ digest, size }) => [digest, size]));
    const bytes = [...distinct.values()].reduce((sum, size) => sum + size, 0);
    expect(distinct.size).toBeLessThan(blobs.length - 10);
    expect(bytes).toBeGreaterThan(10 << 20);
    expect(bytes).toBeLessThan(50 << 20);
  });

  it('is whole in a registry, as crane sees it', async () => {
    await publishFleet(world.client, world.host, fleet);
    for (const { repository, tag, top } of fleet) {
      const reference = `${world.host}/${repository}:${tag}`;
      expect((await run('crane', ['digest', reference])).stdout.trim()).toBe(top.descriptor.digest);
      for (const platform of ['linux/amd64', 'linux/arm64'])
        await run('crane', ['validate', '--platform', platform, '--remote', reference]);
    }
  });

  it.each(fleet.map((image) => ({ name: `${image.repository}:${image.tag}`, image })))(
    '$name gets the verdict that it is there for',
    async ({ image }) => {
      const { decision, platforms } = await world.scanner().scan(await world.task(image), stepContext());
      const statuses = platforms.map(({ status }) => status);
      const worst = ['not-scannable', 'findings'].find((status) => statuses.some((one) => one === status));
      expect(decision).toBe(
        { clean: 'pass', findings: 'pass', blocked: 'block', 'not-scannable': 'warn' }[image.expected],
      );
      expect(worst ?? 'clean').toBe(image.expected === 'blocked' ? 'findings' : image.expected);
      expect(platforms).toHaveLength(hasWindows(image) ? 4 : 2);
    },
  );
});

describe('what a database has advisories for', () => {
  it('is read from the top of its file', async () => {
    const path = join(await temporaryDirectory(), 'trivy.db');
    const many = Object.fromEntries(Array.from({ length: 900 }, (_, index) => [`npm::source ${index}`, {}]));
    const facts = { sources: {}, vulnerabilities: {}, advisories: { ...many, 'debian 12': {} } };
    const [file] = vulnerabilityDb({ updatedAt: '2026-11-01T00:00:00Z', facts }).files;
    await writeFile(path, file?.bytes ?? '');
    const buckets = await topLevelBuckets(path);
    expect(buckets.size).toBe(903);
    expect(buckets).toContain('debian 12');
  });

  it('is not guessed from a file that is no database', async () => {
    const path = join(await temporaryDirectory(), 'trivy.db');
    for (const content of ['', 'x'.repeat(9000)]) {
      await writeFile(path, content);
      await expect(topLevelBuckets(path)).rejects.toThrow();
    }
  });

  it.each([
    ['debian', '12.12', 'debian 12'],
    ['alpine', '3.19.8', 'alpine 3.19'],
    ['ubuntu', '22.04', 'ubuntu 22.04'],
    ['amazon', '2 (Karoo)', 'amazon linux 2'],
    ['amazon', '2018.03', 'amazon linux 1'],
    ['redhat', '9.4', 'Red Hat'],
    ['rocky', '9.4', 'rocky 9'],
    ['wolfi', '20230201', 'wolfi'],
  ])('is looked up for %s %s under "%s"', (family, version, bucket) => {
    expect(hasAdvisories({ family, version }, new Set([bucket]))).toBe(true);
    expect(hasAdvisories({ family, version }, new Set(['other 1']))).toBe(false);
  });
});
