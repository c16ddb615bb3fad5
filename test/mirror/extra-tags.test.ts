import { describe, expect, it, onTestFinished } from 'vitest';
import { FactoryError } from '../../src/common/errors.js';
import type { PushTask } from '../../src/contract/activities.js';
import { withTakenTags } from '../../src/mirror/extra-tags.js';
import { readLedger, writeLedger } from '../../src/mirror/ledger.js';
import { RegistryClient } from '../../src/registry/client.js';
import { anonymous } from '../../src/registry/credentials.js';
import { hexOf } from '../../src/registry/digest.js';
import { imageOf, layerOf, twoPlatformImage } from '../support/images.js';
import { built, crane, discovered, mirror, openSides, type Sides } from './side.js';

const NAME = 'harness/ci-addon:1.2.3';
const STARTED = '2026-03-01T02:00:00.000Z';

/** An image that was built by a template with these tags. */
async function builtWith(sides: Sides, extraTags: string[], name = NAME): Promise<PushTask> {
  return built(sides, name, twoPlatformImage(), { extraTags }, { runStartedAt: STARTED });
}

const tagsOf = async (sides: Sides): Promise<string[]> =>
  (await crane('ls', `${sides.target.host}/ci/harness/ci-addon`)).split('\n').sort();

describe('extra tags of a template', () => {
  it('name the same image as its own tag, with what their variables stand for', async () => {
    const sides = await openSides();
    const task = await builtWith(sides, [
      'stable',
      'at-${run.time}',
      'from-${source.digest}',
      'v${source.tag}',
      '1.2.3',
    ]);
    await mirror(sides, task);
    const tags = [
      '1.2.3',
      'stable',
      'at-2026-03-01T02-00-00.000Z',
      `from-${hexOf(task.sourceDigest)}`,
      'v1.2.3',
    ];
    expect(await tagsOf(sides)).toEqual([...tags].sort());
    for (const tag of tags)
      expect(await crane('digest', `${sides.target.host}/ci/harness/ci-addon:${tag}`), tag).toBe(
        task.built.digest,
      );
  });

  it('move on with the next version', async () => {
    const sides = await openSides();
    await mirror(sides, await builtWith(sides, ['stable']));
    const next = await built(sides, 'harness/ci-addon:1.2.4', imageOf({ layers: [layerOf({ next: '1' })] }), {
      extraTags: ['stable'],
    });
    await mirror(sides, next);
    expect(await crane('digest', `${sides.target.host}/ci/harness/ci-addon:stable`)).toBe(next.built.digest);
  });

  it('never take the tag of another copy of ours', async () => {
    const sides = await openSides();
    const other = await built(
      sides,
      'harness/ci-addon:1.0.0',
      imageOf({ layers: [layerOf({ other: '1' })] }),
    );
    await mirror(sides, other);
    const task = await builtWith(sides, ['1.0.0']);
    await expect(mirror(sides, task)).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringMatching(
        /^the extra tag "1\.0\.0" of build-push template default is .*ci-addon:1\.0\.0, a copy of its own: choose another name/,
      ),
    });
    expect(await crane('digest', other.target)).toBe(other.built.digest);
    // Nothing was put that says that all is done.
    expect(await readLedger(sides.evidence, task.target)).toBeUndefined();
  });

  it('leave alone a copy that was begun while this one was verified', async () => {
    const sides = await openSides();
    const other = sides.targetReference('harness/ci-addon:1.0.0');
    const task = await builtWith(sides, ['1.0.0']);
    const meanwhile = new RegistryClient({ credentials: anonymous, insecureHosts: [] });
    onTestFinished(() => meanwhile.close());
    const putManifest = meanwhile.putManifest.bind(meanwhile);
    meanwhile.putManifest = async (reference, manifest, signal) => {
      await putManifest(reference, manifest, signal);
      if (reference !== task.target) return;
      const { sourceDigest, build, runId, built: made } = task;
      const { templateDigest } = build;
      const entry = { target: other, digest: made.digest, sourceDigest, templateDigest, runId };
      await writeLedger(sides.evidence, { ...entry, verifiedAt: null, previous: null });
    };
    await expect(mirror(sides, task, meanwhile)).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining('a copy of its own'),
    });
    expect(await tagsOf(sides)).toEqual(['1.2.3']);
  });

  it('that are tags of other images of the run are known before anything is made', async () => {
    const sides = await openSides();
    const names = ['harness/x:1', 'harness/x:v1', 'harness/x:2', 'harness/y:v2', 'other/z:v3'];
    const images = names.map((name) => discovered(sides, name));
    const problems = (...extraTags: string[]) =>
      withTakenTags(images, { name: 'mine', extraTags }).map(({ problem }) => problem);
    expect(problems('v${source.tag}', '${source.tag}')).toEqual([
      `the extra tag "v1" of build-push template mine is ${sides.targetReference('harness/x:v1')}, a copy of its own: choose another name, such as mirrored-\${source.tag}`,
      ...[undefined, undefined, undefined, undefined],
    ]);
    expect(problems('2').filter(Boolean)).toHaveLength(2);
    // What only the run or the registry knows, and what is no tag, is left to the verification.
    const later = ['${run.id}', 'x-${source.digest}', '$${source.tag}', 'latest'];
    expect(problems(...later)).toEqual(images.map(() => undefined));
  });

  it('that are none with this image’s values in them are named', async () => {
    const sides = await openSides();
    const task = await builtWith(sides, [`${'x'.repeat(120)}-\${source.tag}-\${run.time}`]);
    await expect(mirror(sides, task)).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringMatching(
        /^the extra tag "x+-1\.2\.3-2026-.*is no tag for .*ci-addon:1\.2\.3: letters/,
      ),
    });
  });

  it('that a registry keeps as they are are named, and the image is not taken for done', async () => {
    const sides = await openSides();
    await mirror(sides, await builtWith(sides, ['stable']));
    const keeps = new RegistryClient({ credentials: anonymous, insecureHosts: [] });
    onTestFinished(() => keeps.close());
    const putManifest = keeps.putManifest.bind(keeps);
    keeps.putManifest = async (reference, manifest, signal) => {
      if (reference.endsWith(':stable')) throw new FactoryError('TagImmutable', `${reference} is immutable`);
      await putManifest(reference, manifest, signal);
    };
    const next = imageOf({ layers: [layerOf({ next: '1' })] });
    const task = await built(sides, 'harness/ci-addon:1.2.4', next, { extraTags: ['stable'] });
    await expect(mirror(sides, task, keeps)).rejects.toMatchObject({
      type: 'TagImmutable',
      message: expect.stringMatching(/ci-addon:stable is/),
    });
    expect(await crane('digest', task.target)).toBe(task.built.digest);
    expect(await readLedger(sides.evidence, task.target)).toMatchObject({ verifiedAt: null });
  });
});

describe('variables in labels', () => {
  it('have the same values in build, push and verify, and end in the image', async () => {
    const sides = await openSides();
    const labels = {
      'com.example.run': '${run.id} of ${run.time}',
      'com.example.from': '${source.tag}@${source.digest}',
      'com.example.text': '$${run.id}',
    };
    const task = await built(sides, NAME, twoPlatformImage(), { labels }, { runStartedAt: STARTED });
    await mirror(sides, task);
    for (const platform of ['linux/amd64', 'linux/arm64']) {
      const config = JSON.parse(await crane('config', '--platform', platform, task.target));
      expect(config.config.Labels).toMatchObject({
        'com.example.run': `${task.runId} of ${STARTED}`,
        'com.example.from': `1.2.3@${task.sourceDigest}`,
        'com.example.text': '${run.id}',
      });
    }
  });

  it('are in the annotations of the index too', async () => {
    const sides = await openSides();
    const annotations = { 'com.example.run': '${run.id}' };
    const task = await built(sides, NAME, twoPlatformImage(), { annotations }, { runStartedAt: STARTED });
    await mirror(sides, task);
    expect(JSON.parse(await crane('manifest', task.target)).annotations).toMatchObject({
      'com.example.run': task.runId,
    });
  });
});
