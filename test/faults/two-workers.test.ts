import { expect } from 'vitest';
import { startWorkerProcess } from '../integration/worker-process.js';
import { crane } from '../mirror/side.js';
import { faultCase } from './matrix.js';
import { expectTruth } from './truth.js';
import { openWorld } from './world.js';

const MOMENTS: readonly [method: string, url: RegExp][] = [
  ['GET', /\/harness\/ci-addon\/manifests\/sha256:/],
  ['PUT', /\/harness\/ci-lite-engine\/blobs\/uploads\//],
  ['PUT', /\/ci\/harness\/drone-git\/manifests\/1\.6\.9-rootless$/],
  ['HEAD', /\/ci\/harness\/ci-addon\/manifests\/1\.16\.92$/],
];

faultCase(
  'worker',
  `two workers with separate content stores, either killed in turn at ${MOMENTS.length} moments`,
  async () => {
    const images = ['harness/ci-addon', 'harness/ci-lite-engine', 'harness/drone-git'];
    const world = await openWorld({ images: ({ repository }) => images.includes(repository) });
    const content = (n: number): string => `${world.factory.directory}/content-${n % 2}`;
    const start = (n: number) => startWorkerProcess({ ...world.env, CONTENT_DIR: content(n) });
    const workers = [start(0), start(1)];
    const killings = MOMENTS.map(([method, url], turn) =>
      (method === 'GET' ? world.source : world.target).meet({ method, url }, async () => {
        const index = turn % 2;
        await (await workers[index])?.kill9();
        // The other one goes on alone until this one is back.
        workers[index] = start(index);
      }),
    );
    const run = await world.start();
    await Promise.all(killings);
    await Promise.all(workers);
    const end = await expectTruth(world, run);
    expect(end.outcomes.map(({ kind }) => kind)).toEqual(images.map(() => 'mirrored'));
    const digests = (): Promise<string[]> =>
      Promise.all(world.factory.fleet.map((image) => crane('digest', world.real(world.targetOf(image)))));
    const killed = await digests();

    // The same without any kill, into the same names: what comes out is the same, byte for byte.
    for (const [index, image] of world.factory.fleet.entries())
      await crane('delete', world.real(world.targetOf(image)).replace(/:[^:/]+$/, `@${killed[index]}`));
    const undisturbed = await expectTruth(world, await world.start());
    expect(undisturbed.outcomes.map(({ kind }) => kind)).toEqual(images.map(() => 'mirrored'));
    expect(await digests()).toEqual(killed);
    return 'every image verified, with the same digests as in a run that nobody disturbs';
  },
  360_000,
);
