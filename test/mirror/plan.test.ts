import { rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { Digest } from '../../src/contract/brand.js';
import type { DiscoveredImage, RunConfig } from '../../src/contract/run.js';
import type { Verdict } from '../../src/contract/verdict.js';
import { ledgerKey, readLedger, writeLedger } from '../../src/mirror/ledger.js';
import { planImages } from '../../src/mirror/plan.js';
import { putTag } from '../../src/mirror/tag.js';
import { digestOf } from '../../src/registry/digest.js';
import { writeVerdict } from '../../src/scanners/verdict-store.js';
import { imageOf, type TestImage, twoPlatformImage } from '../support/images.js';
import { watchRequests } from '../support/request-counter.js';
import {
  BUILD,
  built,
  context,
  discovered,
  mirror,
  openSides,
  publish,
  runConfig,
  type Sides,
} from './side.js';

const NAME = 'harness/ci-addon:1.16.92';

async function planOne(
  sides: Sides,
  config: RunConfig = runConfig(sides),
  image: DiscoveredImage = discovered(sides, NAME),
) {
  const ports = { source: sides.registry, target: sides.registry, evidence: sides.evidence };
  const [item] = await planImages([image], config, ports, false, context().signal);
  return item;
}

/** Mirrors an image as a run does, with or without the memory of it. */
async function mirrored(
  sides: Sides,
  image: TestImage,
  remember: 'verified' | 'unverified' | 'forgotten',
): Promise<void> {
  const task = await built(sides, NAME, image);
  await mirror(sides, task);
  if (remember === 'forgotten') return rm(sides.evidence.locate(ledgerKey(task.target)));
  const entry = await readLedger(sides.evidence, task.target);
  if (entry === undefined) throw new Error('verify left no entry');
  // As a worker leaves it that dies right after the tag was put.
  if (remember === 'unverified')
    await writeLedger(sides.evidence, { ...entry, target: task.target, verifiedAt: null });
}

const scanned = (sides: Sides, image: TestImage, changes: Partial<Verdict> = {}): Promise<void> =>
  judged(sides, image.top.descriptor.digest, changes);

async function judged(sides: Sides, digest: Digest, changes: Partial<Verdict> = {}): Promise<void> {
  await writeVerdict(sides.evidence, digest, BUILD.platforms, {
    decision: 'pass',
    rule: 'nothing found',
    platforms: [],
    policyDigest: runConfig(sides).gatherScan.policyDigest,
    scannedAt: '2026-11-01T00:00:00.000Z',
    database: { updatedAt: '2026-11-01T00:00:00.000Z', digest: null, javaDigest: null },
    ...changes,
  });
}

describe('the plan says', () => {
  it('create when the registry lacks the image', async () => {
    const sides = await openSides();
    const image = twoPlatformImage();
    await publish(sides.registry, sides.sourceReference(NAME), image);
    expect(await planOne(sides)).toMatchObject({
      state: 'create',
      drift: null,
      sourceDigest: image.top.descriptor.digest,
      targetDigest: null,
    });
  });

  it.each(['oci', 'docker'] as const)(
    'unchanged for a mirrored and scanned %s image, remembered or not',
    async (flavour) => {
      for (const remember of ['verified', 'forgotten'] as const) {
        const sides = await openSides();
        const image = twoPlatformImage(flavour);
        await mirrored(sides, image, remember);
        await scanned(sides, image);
        expect(await planOne(sides)).toMatchObject({ state: 'unchanged', lastVerdict: { decision: 'pass' } });
      }
    },
  );

  it('unchanged but in need of a scan when none is on record, the policy changed, or the last one blocked', async () => {
    const sides = await openSides();
    const image = twoPlatformImage();
    await mirrored(sides, image, 'verified');
    expect(await planOne(sides)).toMatchObject({ state: 'needs-scan', reason: 'no scan of it is on record' });
    await scanned(sides, image, { policyDigest: digestOf('an older policy') });
    expect(await planOne(sides)).toMatchObject({
      state: 'needs-scan',
      reason: expect.stringContaining('policy changed'),
    });
    await scanned(sides, image, { decision: 'block' });
    expect(await planOne(sides)).toMatchObject({
      state: 'needs-scan',
      reason: expect.stringContaining('blocked'),
    });
    expect(await planOne(sides, runConfig(sides, { scan: false }))).toMatchObject({ state: 'unchanged' });
  });

  it('in need of a scan when the last one was of other platforms', async () => {
    const sides = await openSides();
    const image = twoPlatformImage();
    await mirrored(sides, image, 'verified');
    await scanned(sides, image);
    const other = runConfig(sides, { buildPush: { ...BUILD, platforms: ['linux/amd64'] } });
    expect(await planOne(sides, other)).toMatchObject({ state: 'needs-scan', lastVerdict: null });
  });

  it('update when the source moved, and when the template changed', async () => {
    const sides = await openSides();
    const image = twoPlatformImage();
    await mirrored(sides, image, 'verified');
    await scanned(sides, image);
    const other = runConfig(sides, { buildPush: { ...BUILD, templateDigest: digestOf('another template') } });
    expect(await planOne(sides, other)).toMatchObject({
      state: 'update',
      reason: 'the build template changed',
      drift: null,
    });
    await publish(sides.registry, sides.sourceReference(NAME), twoPlatformImage('oci', { version: '2' }));
    expect(await planOne(sides)).toMatchObject({
      state: 'update',
      reason: 'the source has a new image',
      drift: null,
    });
  });

  it('drift when the tag was replaced, even by an image with our marks, and when it is gone', async () => {
    const sides = await openSides();
    const image = twoPlatformImage();
    await mirrored(sides, image, 'verified');
    await publish(sides.registry, sides.targetReference(NAME), imageOf());
    expect(await planOne(sides)).toMatchObject({ state: 'update', drift: 'replaced' });

    const gone = await openSides();
    await publish(gone.registry, gone.sourceReference(NAME), image);
    await writeLedger(gone.evidence, {
      target: gone.targetReference(NAME),
      digest: digestOf('pushed'),
      sourceDigest: image.top.descriptor.digest,
      templateDigest: BUILD.templateDigest,
      runId: 'run-1',
      verifiedAt: '2026-11-01T00:00:00.000Z',
      previous: null,
    });
    expect(await planOne(gone)).toMatchObject({ state: 'create', drift: 'missing' });
  });

  it('update for what was pushed and never verified, however good its marks are', async () => {
    const sides = await openSides();
    const image = twoPlatformImage();
    await mirrored(sides, image, 'unverified');
    await scanned(sides, image);
    expect(await planOne(sides)).toMatchObject({
      state: 'update',
      drift: null,
      reason: expect.stringContaining('never verified'),
    });
  });

  it('no drift when a run died before its tag was put', async () => {
    const sides = await openSides();
    const image = twoPlatformImage();
    await mirrored(sides, image, 'verified');
    const before = await readLedger(sides.evidence, sides.targetReference(NAME));
    await writeLedger(sides.evidence, {
      target: sides.targetReference(NAME),
      digest: digestOf('what was about to be put'),
      sourceDigest: digestOf('a newer source'),
      templateDigest: BUILD.templateDigest,
      runId: 'run-2',
      verifiedAt: null,
      previous: before?.digest ?? null,
    });
    await publish(sides.registry, sides.sourceReference(NAME), twoPlatformImage('oci', { version: '2' }));
    expect(await planOne(sides)).toMatchObject({
      state: 'update',
      drift: null,
      reason: 'the source has a new image',
    });
  });

  it('update for a tag that holds an image which is not ours', async () => {
    const sides = await openSides();
    await publish(sides.registry, sides.sourceReference(NAME), twoPlatformImage());
    await publish(sides.registry, sides.targetReference(NAME), imageOf({ flavour: 'docker' }));
    expect(await planOne(sides)).toMatchObject({
      state: 'update',
      drift: null,
      reason: expect.stringContaining('without our mark'),
    });
  });

  it('unresolved, with the reason, for what the source lacks and for what discovery refused', async () => {
    const sides = await openSides();
    expect(await planOne(sides)).toMatchObject({
      state: 'unresolved',
      reason: expect.stringContaining('SOURCE_REGISTRY'),
    });
    const problem = { ...discovered(sides, NAME), target: null, problem: 'two sources for one target' };
    expect(await planOne(sides, runConfig(sides), problem)).toMatchObject({
      state: 'unresolved',
      reason: 'two sources for one target',
    });
  });

  it('which of several source registries has the image', async () => {
    const sides = await openSides();
    await publish(sides.registry, sides.sourceReference(NAME), twoPlatformImage());
    const image = discovered(sides, NAME);
    image.candidates.unshift(sides.targetReference(`nowhere/${NAME}`));
    expect(await planOne(sides, runConfig(sides), image)).toMatchObject({
      state: 'create',
      source: sides.sourceReference(NAME),
    });
  });

  it('unresolved, not a failed run, when the source can’t be reached and there is no patience left', async () => {
    const sides = await openSides();
    await sides.source.stop();
    expect(await planOne(sides)).toMatchObject({ state: 'unresolved' });
  });
});

describe('of what a Docker Engine built, the plan says', () => {
  /** A copy that is as meant and whose source was judged, as the engine made it or only labelled it. */
  async function copied(builds: boolean | undefined) {
    const sides = await openSides();
    const image = twoPlatformImage();
    await mirrored(sides, image, 'verified');
    await scanned(sides, image);
    const target = sides.targetReference(NAME);
    const entry = await readLedger(sides.evidence, target);
    if (entry === undefined) throw new Error('verify left no entry');
    const { built: _, ...rest } = entry;
    await writeLedger(sides.evidence, {
      ...rest,
      target,
      ...(builds === undefined ? {} : { built: builds }),
    });
    const config = (changes: Partial<RunConfig> = {}): RunConfig =>
      runConfig(sides, { buildPush: { ...BUILD, engine: 'buildkit' }, ...changes });
    return { sides, image, config, digest: entry.digest };
  }

  it.each([true, undefined])(
    'update until it was judged itself (the ledger says built: %s)',
    async (builds) => {
      const { sides, config, digest } = await copied(builds);
      expect(await planOne(sides, config())).toMatchObject({
        state: 'update',
        drift: null,
        reason: 'what was built of it was not scanned',
        lastVerdict: { decision: 'pass' },
      });
      expect(await planOne(sides, config({ scan: false }))).toMatchObject({ state: 'unchanged' });
      await judged(sides, digest, { decision: 'warn' });
      expect(await planOne(sides, config())).toMatchObject({ state: 'unchanged' });
    },
  );

  it('update when the policy changed since, or it was blocked: the source alone being fine is not enough', async () => {
    const { sides, image, config, digest } = await copied(true);
    await judged(sides, digest, { policyDigest: digestOf('an older policy') });
    const older = 'what was built of it was not judged by this policy';
    expect(await planOne(sides, config())).toMatchObject({ state: 'update', reason: older });
    // As after a change of the policy: a scan of the source alone would not tell.
    await scanned(sides, image, { policyDigest: digestOf('an older policy') });
    expect(await planOne(sides, config())).toMatchObject({ state: 'update', reason: older });
    await judged(sides, digest, { decision: 'block' });
    expect(await planOne(sides, config())).toMatchObject({
      state: 'update',
      reason: 'the last scan of what was built of it blocked it',
    });
  });

  it('needs-scan when only the source has to be judged again', async () => {
    const { sides, image, config, digest } = await copied(true);
    await judged(sides, digest);
    await scanned(sides, image, { decision: 'block' });
    expect(await planOne(sides, config())).toMatchObject({ state: 'needs-scan' });
  });

  it('unchanged where all of its platforms were only labelled: they have the layers of the source', async () => {
    const { sides, config } = await copied(false);
    expect(await planOne(sides, config())).toMatchObject({ state: 'unchanged' });
  });

  it('update where the ledger’s entry is of another image than the tag holds', async () => {
    const { sides, config, digest } = await copied(false);
    const target = sides.targetReference(NAME);
    const entry = await readLedger(sides.evidence, target);
    if (entry === undefined) throw new Error('there is an entry');
    const next = { ...entry, target, digest: digestOf('never put'), verifiedAt: null, previous: digest };
    await writeLedger(sides.evidence, next);
    expect(await planOne(sides, config())).toMatchObject({ state: 'update' });
  });

  it('no more than two requests can tell, and where nothing is built nothing more is read', async () => {
    const { sides, config, digest } = await copied(true);
    await judged(sides, digest);
    const read: string[] = [];
    const get = sides.evidence.get.bind(sides.evidence);
    sides.evidence.get = (key, signal) => {
      read.push(key);
      return get(key, signal);
    };
    const sent = watchRequests();
    expect(await planOne(sides, config())).toMatchObject({ state: 'unchanged' });
    expect([sent.length, read.length]).toEqual([2, 3]);
    expect(await planOne(sides)).toMatchObject({ state: 'unchanged' });
    expect([sent.length, read.length]).toEqual([4, 5]);
  });

  it('which platforms it was made without', async () => {
    const { sides, config } = await copied(true);
    const target = sides.targetReference(NAME);
    const entry = await readLedger(sides.evidence, target);
    if (entry === undefined) throw new Error('there is an entry');
    await writeLedger(sides.evidence, { ...entry, target, skipped: ['windows/amd64'] });
    expect(await planOne(sides, config())).toMatchObject({ skipped: ['windows/amd64'] });
  });
});

it('the ledger remembers whether anything was built, and what was left out', async () => {
  const sides = await openSides();
  const task = await built(sides, NAME, twoPlatformImage());
  await mirror(sides, task);
  expect(await readLedger(sides.evidence, task.target)).toMatchObject({ built: false });
  const [first, ...rest] = task.built.platforms;
  if (first === undefined) throw new Error('it has platforms');
  const made = { ...task.built, platforms: [{ ...first, how: 'built' as const }, ...rest] };
  const top = await sides.registry.manifest(task.target);
  if (top === undefined) throw new Error('it was pushed');
  const dependencies = { target: sides.registry, evidence: sides.evidence };
  const skipping = { ...task, built: { ...made, skipped: ['windows/amd64'] } };
  await putTag(skipping, top, dependencies, context().signal);
  expect(await readLedger(sides.evidence, task.target)).toMatchObject({
    built: true,
    skipped: ['windows/amd64'],
  });
});
