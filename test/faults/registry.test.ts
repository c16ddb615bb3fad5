import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { startWorkerProcess } from '../integration/worker-process.js';
import { faultCase } from './matrix.js';
import type { FaultyProxy, How } from './proxy.js';
import { expectNextRunGood, expectTruth } from './truth.js';
import { AIM, openWorld, type World } from './world.js';

/** One request of every kind that a run makes of each registry goes wrong. */
const EVERY_KIND: Record<'source' | 'target', readonly [method: string, url: RegExp][]> = {
  source: [
    ['HEAD', /\/harness\/ci-addon\/manifests\//],
    ['GET', /\/harness\/ci-addon\/manifests\//],
    ['GET', /\/harness\/ci-addon\/blobs\//],
  ],
  target: [
    ['GET', /\/ci\/harness\/ci-addon\/manifests\//],
    ['HEAD', /\/ci\/harness\/ci-addon\/blobs\//],
    ['POST', /\/ci\/harness\/ci-addon\/blobs\/uploads\//],
    ['PUT', /\/ci\/harness\/ci-addon\/blobs\/uploads\//],
    ['PUT', /\/ci\/harness\/ci-addon\/manifests\/sha256:/],
    ['PUT', /\/ci\/harness\/ci-addon\/manifests\/1\.16\.92$/],
    ['HEAD', /\/ci\/harness\/ci-addon\/manifests\/1\.16\.92$/],
    ['GET', /\/ci\/harness\/ci-addon\/blobs\//],
  ],
};

const spoil = (world: World, how: How, kinds = EVERY_KIND): void => {
  for (const door of ['source', 'target'] as const)
    world[door].inject(...kinds[door].map(([method, url]) => ({ method, url, how })));
};

const met = (...proxies: FaultyProxy[]): void =>
  expect(proxies.flatMap((proxy) => proxy.left().map(({ method, url }) => `${method} ${url}`))).toEqual([]);

const aimed = ({ repository }: { repository: string }): boolean => repository === AIM;

/** The bytes of a blob, or everything, as a registry loses them. */
const storage = (world: World, ...path: string[]): string =>
  join(world.factory.target.storageDir, 'docker/registry/v2', ...path);
const loseBlob = (world: World, digest: string): Promise<void> => {
  const hex = digest.replace('sha256:', '');
  return rm(storage(world, 'blobs/sha256', hex.slice(0, 2), hex), { recursive: true });
};
/** A layer keeps its digest on its way. */
const layerOf = (world: World): string => {
  const blobs = world.factory.fleet.find(aimed)?.blobs ?? [];
  return blobs.reduce((a, b) => (b.bytes.length > a.bytes.length ? b : a)).descriptor.digest;
};
const loseAll = (world: World): Promise<void> => rm(storage(world), { recursive: true });

const kinds = EVERY_KIND.source.length + EVERY_KIND.target.length;
const ANSWERS: [name: string, how: How][] = [
  ['500', { kind: 'answer', status: 500 }],
  ['502 with HTML', { kind: 'answer', status: 502, body: '<html><h1>Bad Gateway</h1></html>' }],
  ['a reset connection', { kind: 'reset' }],
  ['half a body, then the end', { kind: 'cut' }],
];
for (const [name, how] of ANSWERS) {
  faultCase(
    'registry',
    `${kinds} kinds of requests to source and target get ${name}, once each`,
    async () => {
      const world = await openWorld();
      spoil(world, how);
      await startWorkerProcess(world.env);
      const end = await expectTruth(world, await world.start());
      expect(end.outcomes.map(({ kind }) => kind)).toEqual(['mirrored', 'mirrored']);
      met(world.source, world.target);
      return 'retried; both images verified, account updated';
    },
  );
}

faultCase('registry', '429 with Retry-After: 3 on an upload and on a manifest', async () => {
  const world = await openWorld();
  const how: How = { kind: 'answer', status: 429, headers: { 'retry-after': '3' } };
  const url = /\/ci\/harness\/ci-addon\/manifests\/sha256:/;
  world.target.inject({ method: 'PUT', url, how });
  world.source.inject({ method: 'GET', url: /\/harness\/ci-addon\/blobs\//, how });
  await startWorkerProcess(world.env);
  const end = await expectTruth(world, await world.start());
  expect(end.outcomes.map(({ kind }) => kind)).toEqual(['mirrored', 'mirrored']);
  met(world.source, world.target);
  const puts = world.target.seen.filter((one) => one.method === 'PUT' && url.test(one.url));
  const [first, ...later] = puts.map(({ at }) => at);
  // Platforms are put side by side: what was on its way already may come, nothing else before the time is over.
  const early = later.filter((at) => at - (first ?? 0) > 500 && at - (first ?? 0) < 2_900);
  expect(early).toEqual([]);
  return 'waited as long as it was asked to; both images verified';
});

faultCase('registry', 'the target never answers an upload and a manifest, the source a blob', async () => {
  const world = await openWorld();
  spoil(
    world,
    { kind: 'hang' },
    {
      source: [['GET', /\/harness\/ci-addon\/blobs\//]],
      target: [
        ['POST', /\/ci\/harness\/ci-addon\/blobs\/uploads\//],
        ['PUT', /\/ci\/harness\/ci-addon\/manifests\/sha256:/],
      ],
    },
  );
  await startWorkerProcess(world.env);
  const end = await expectTruth(world, await world.start());
  expect(end.outcomes.map(({ kind }) => kind)).toEqual(['mirrored', 'mirrored']);
  met(world.source, world.target);
  return 'given up after its time limit and retried; both images verified';
});

faultCase('registry', 'an uploaded blob is lost before the manifest is put', async () => {
  const world = await openWorld();
  const losing = world.target.meet(
    { method: 'PUT', url: /\/ci\/harness\/ci-addon\/manifests\/sha256:/ },
    () => loseBlob(world, layerOf(world)),
  );
  await startWorkerProcess(world.env);
  const run = await world.start();
  await losing;
  const end = await expectTruth(world, run);
  expect(end.outcomes.map(({ kind }) => kind)).toEqual(['mirrored', 'mirrored']);
  return 'sent again; both images verified';
});

const verifyLooks = { method: 'HEAD', url: /\/ci\/harness\/ci-addon\/manifests\/1\.16\.92$/ };

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
  const lose = (): Promise<void> => loseBlob(world, layerOf(world));
  const first = world.target.meet(verifyLooks, lose);
  const second = world.target.meet(verifyLooks, lose);
  await startWorkerProcess(world.env);
  const run = await world.start();
  await Promise.all([first, second]);
  const end = await expectTruth(world, run);
  expect(end.type).toBe('ImagesFailed');
  const missing = end.report.images.find(({ image }) => image.startsWith(AIM));
  expect(missing?.outcome).toMatchObject({ kind: 'failed', type: 'VerificationFailed' });
  expect(world.factory.harness.state.overrides.K8).not.toHaveProperty('addonTag');
  await expectTruth(world, await world.start());
  return 'one repair, then VerificationFailed in the report; its field is left alone, the other image is set';
});

faultCase('registry', 'the target comes back empty between two runs', async () => {
  const world = await openWorld();
  await startWorkerProcess(world.env);
  await expectTruth(world, await world.start());
  await loseAll(world);
  await expectNextRunGood(world, 'mirrored');
  await expectNextRunGood(world, 'unchanged');
  return 'the next run notices and mirrors both images again';
});
