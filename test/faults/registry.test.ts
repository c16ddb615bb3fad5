import { expect } from 'vitest';
import { startWorkerProcess } from '../integration/worker-process.js';
import { layerOf, loseAll, loseBlob } from './loss.js';
import { faultCase } from './matrix.js';
import type { FaultyProxy, How } from './proxy.js';
import { expectNextRunGood, expectTruth } from './truth.js';
import { openWorld, type World } from './world.js';

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
  const [first, ...later] = puts.filter((one) => one.url === puts[0]?.url).map(({ at }) => at);
  expect(later).not.toEqual([]);
  expect(later.filter((at) => at - (first ?? 0) < 2_900)).toEqual([]);
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

faultCase('registry', 'the target comes back empty between two runs', async () => {
  const world = await openWorld();
  await startWorkerProcess(world.env);
  await expectTruth(world, await world.start());
  await loseAll(world);
  await expectNextRunGood(world, 'mirrored');
  await expectNextRunGood(world, 'unchanged');
  return 'the next run notices and mirrors both images again';
});
