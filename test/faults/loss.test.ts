import { expect } from 'vitest';
import { startWorkerProcess } from '../integration/worker-process.js';
import { crane } from '../mirror/side.js';
import { aimed, layerOf, loseAll, loseBlob } from './loss.js';
import { faultCase } from './matrix.js';
import { endOf, expectTruth } from './truth.js';
import { AIM, AIM_TAG, openWorld, type World } from './world.js';

/** The first requests of a push's end, and of verify. */
const pushEnds = { method: 'PUT', url: /\/ci\/harness\/ci-addon\/manifests\/sha256:/ };
const verifyLooks = { method: 'GET', url: /\/ci\/harness\/ci-addon\/manifests\/sha256:/ };

/** Loses the layer after the push, and again after the push that mends it. */
async function loseAfterEachPush(world: World, layer: string): Promise<void> {
  const once = async () => {
    await world.target.meet(pushEnds, async () => {});
    await world.target.meet(verifyLooks, () => loseBlob(world, layer));
  };
  await once();
  await once();
}

faultCase('registry', 'the storage is wiped between push and verify', async () => {
  const world = await openWorld({ images: aimed });
  const wiping = world.target.meet(verifyLooks, () => loseAll(world));
  await startWorkerProcess(world.env);
  const run = await world.start();
  await wiping;
  const end = await expectTruth(world, run);
  expect(end.outcomes.map(({ kind }) => kind)).toEqual(['mirrored']);
  return 'pushed once more, whole, and verified';
});

faultCase('registry', 'a blob is lost after each push', async () => {
  const world = await openWorld();
  const losing = loseAfterEachPush(world, layerOf(world));
  await startWorkerProcess(world.env);
  const run = await world.start();
  await losing;
  const end = await expectTruth(world, run);
  expect(end.type).toBe('ImagesFailed');
  const missing = end.report.images.find(({ image }) => image.startsWith(AIM));
  expect(missing?.outcome).toMatchObject({ kind: 'failed', type: 'VerificationFailed' });
  expect(world.factory.harness.state.overrides.K8).not.toHaveProperty('addonTag');
  await expect(crane('digest', world.real(`${world.target.host}/ci/${AIM}:${AIM_TAG}`))).rejects.toThrow();
  await expectTruth(world, await world.start());
  return 'one repair, then VerificationFailed in the report; nothing is tagged, its field is left alone, the other image is set';
});

faultCase('registry', 'a blob is lost between two runs, of which the second sets the account', async () => {
  const world = await openWorld();
  await startWorkerProcess(world.env);
  await expectTruth(world, await world.start({ modifyDefault: false }));
  await loseBlob(world, layerOf(world));
  const end = await endOf(await world.start());
  expect(end).toMatchObject({ type: 'HarnessNotUpdated', result: { accounts: [{ kind: 'failed' }] } });
  expect(world.wrongUpdates).toEqual([]);
  expect(world.factory.harness.state.overrides.K8).not.toHaveProperty('addonTag');
  const next = await expectTruth(world, await world.start());
  expect(next.type).toBe('success');
  expect(next.outcomes.map(({ kind }) => kind)).toEqual(['mirrored', 'unchanged']);
  return 'HarnessNotUpdated: its field is left as it was, the other is set; the next run mends the image and sets the field';
});

faultCase('registry', 'a new version of an image in use loses its manifest after each push', async () => {
  const world = await openWorld();
  await startWorkerProcess(world.env);
  await expectTruth(world, await world.start());
  const copy = world.real(`${world.target.host}/ci/${AIM}:${AIM_TAG}`);
  const inUse = await crane('digest', copy);
  // The tag moves to one platform of the image.
  const source = `${world.factory.source.host}/${AIM}`;
  const arm = await crane('digest', '--platform', 'linux/arm64', `${source}:${AIM_TAG}`);
  await crane('tag', `${source}@${arm}`, AIM_TAG);
  world.target.inject(
    ...[1, 2].map(() => ({ ...verifyLooks, how: { kind: 'answer' as const, status: 404 } })),
  );
  const end = await endOf(await world.start());
  expect(end.type).toBe('ImagesFailed');
  expect(await crane('digest', copy)).toBe(inUse);
  await crane('validate', '--remote', copy);
  const next = await expectTruth(world, await world.start());
  expect(next.outcomes.map(({ kind }) => kind)).toEqual(['mirrored', 'unchanged']);
  return 'VerificationFailed in the report; the tag, and so every build, keeps the image before; the next run brings the new one';
});
