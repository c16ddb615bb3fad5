import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { startWorkerProcess } from '../integration/worker-process.js';
import { crane } from '../mirror/side.js';
import { faultCase } from './matrix.js';
import { expectTruth } from './truth.js';
import { AIM, AIM_TAG, openWorld, type World } from './world.js';

/** The first request after the plan: what happens now happens between plan and copy. */
const copyBegins = { method: 'GET', url: /\/harness\/ci-addon\/manifests\/sha256:/ };

const repository = (world: World, ...path: string[]): string =>
  join(world.factory.source.storageDir, 'docker/registry/v2/repositories', AIM, ...path);

/** A run while whose copying begins, something happens at the source. */
async function runWhile(world: World, act: () => Promise<unknown>) {
  const acting = world.source.meet(copyBegins, async () => {
    await act();
  });
  await startWorkerProcess(world.env);
  const run = await world.start();
  await acting;
  return expectTruth(world, run);
}

faultCase('source', 'deletes a tag between plan and copy', async () => {
  const world = await openWorld();
  const tag = repository(world, '_manifests/tags', AIM_TAG);
  const end = await runWhile(world, () => rm(tag, { recursive: true }));
  expect(end.outcomes.map(({ kind }) => kind)).toEqual(['mirrored', 'mirrored']);
  return 'copied by the digest of the plan; both images verified';
});

faultCase('source', 'deletes an image between plan and copy', async () => {
  const world = await openWorld();
  const end = await runWhile(world, () => rm(repository(world), { recursive: true }));
  expect(end.type).toBe('ImagesFailed');
  expect(end.outcomes).toMatchObject([{ kind: 'failed', type: 'ImageNotFound' }, { kind: 'mirrored' }]);
  await expect(crane('digest', world.real(`${world.target.host}/ci/${AIM}:${AIM_TAG}`))).rejects.toThrow();
  return 'ImageNotFound in the report; its field is left alone, the other image is set';
});

faultCase('source', 'moves a tag to another image between plan and copy', async () => {
  const world = await openWorld();
  const host = world.factory.source.host;
  const planned = await crane('digest', `${host}/${AIM}:${AIM_TAG}`);
  const arm = await crane('digest', '--platform', 'linux/arm64', `${host}/${AIM}:${AIM_TAG}`);
  const end = await runWhile(world, () => crane('tag', `${host}/${AIM}@${arm}`, AIM_TAG));
  expect(end.outcomes.map(({ kind }) => kind)).toEqual(['mirrored', 'mirrored']);
  const image = end.report.images.find((one) => one.image.startsWith(AIM));
  expect(image).toMatchObject({ sourceDigest: planned });
  expect(image?.platforms.map(({ platform }) => platform)).toEqual(['linux/amd64', 'linux/arm64']);
  const next = await expectTruth(world, await world.start());
  const updated = next.report.images.find((one) => one.image.startsWith(AIM));
  expect(updated).toMatchObject({ state: 'update', sourceDigest: arm, outcome: { kind: 'mirrored' } });
  return 'copied what was planned; the next run brings the new image';
});
