import { publishFleet } from '../../../src/demo/fleet/publish.js';
import type { Row } from '../bench.js';
import { repositories } from '../contestants.js';
import { median, spread } from '../figures.js';
import { benchImage, IMAGES } from '../fleet.js';
import { intoFreshTarget } from '../registries.js';
import { validateCopies } from '../validate.js';

/** One image of the fleet has a new layer on each platform, night after night. */
export const oneChanged: Row = async (bench) => {
  const { programs, directory, images, runs, log } = bench;
  const worker = await bench.factory.worker(bench.source);
  const [repository = ''] = IMAGES;
  const changed: number[] = [];
  const alone: number[] = [];
  const nothing: number[] = [];
  await intoFreshTarget(programs.tools.registry.path, directory, async (registry) => {
    await worker.run({ registry });
    for (let run = 0; run < runs; run++) {
      await publishFleet(bench.client, bench.source, [benchImage(repository, run + 2)]);
      const one = await worker.run({ registry });
      if (one.result.counts.mirrored !== 1) throw new Error(JSON.stringify(one.result.counts));
      changed.push(one.seconds);
      await validateCopies(bench, registry, images, 'fast');
      nothing.push((await worker.run({ registry })).seconds);
      await publishFleet(bench.client, bench.source, [benchImage(repository, run + 2 + runs)]);
      alone.push((await worker.run({ registry, include: repositories([images[0] ?? '']) })).seconds);
      await validateCopies(bench, registry, images, run === runs - 1 ? 'whole' : 'fast');
      log(`  ${run + 1} of ${runs}: one changed ${one.seconds.toFixed(2)} s`);
    }
  });
  await worker.stop();
  await publishFleet(bench.client, bench.source, [benchImage(repository)]); // as it was, for other rows
  const limit = median(alone) + median(nothing);
  return [
    {
      work: 'one of 20 changed',
      peers: '',
      reach: 'time of that one + nothing',
      measured: `${spread(changed)}; that one by itself ${spread(alone)}, nothing ${spread(nothing)}`,
      met: median(changed) <= limit,
    },
  ];
};
