import { describe, expect, it } from 'vitest';
import type { RunConfig } from '../../src/contract/run.js';
import { readLedger, writeLedger } from '../../src/mirror/ledger.js';
import { putTag } from '../../src/mirror/tag.js';
import { digestOf } from '../../src/registry/digest.js';
import { twoPlatformImage } from '../support/images.js';
import { watchRequests } from '../support/request-counter.js';
import { judged, mirrored, NAME, planOne, scanned } from './planning.js';
import { BUILD, built, context, mirror, openSides, runConfig } from './side.js';

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
