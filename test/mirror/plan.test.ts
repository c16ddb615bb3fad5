import { describe, expect, it } from 'vitest';
import { readLedger, writeLedger } from '../../src/mirror/ledger.js';
import { digestOf } from '../../src/registry/digest.js';
import { imageOf, twoPlatformImage } from '../support/images.js';
import { mirrored, NAME, planOne, scanned } from './planning.js';
import { BUILD, discovered, openSides, publish, runConfig } from './side.js';

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
      reason: expect.stringContaining('policy or a scanner changed'),
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
