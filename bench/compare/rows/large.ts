import { join } from 'node:path';
import { startRegistry } from '../../../src/demo/services/registry.js';
import { asideIn, clearAway } from '../../clear.js';
import { largeImages, publishFleet } from '../../data-path/fleet.js';
import { baselineCpu } from '../baseline.js';
import type { Row } from '../bench.js';
import { repositories } from '../contestants.js';
import { Factory } from '../factory.js';
import { median } from '../figures.js';
import { intoFreshTarget } from '../registries.js';
import { sampling } from '../samples.js';
import { validateCopies } from '../validate.js';

const COUNT = 5;
const GIGABYTES = COUNT * 1.5;
const MEMORY_MB = 350;
const CPU = 1.3;
const SAMPLE_MS = 200;
/** What the last quarter of a run may have more than the second: memory that grows with the bytes grows by far more. */
const FLAT_MB = 40;

/** Five images of 1.5 GB at once: what the worker needs of memory and processor. */
export const largeImagesRow: Row = async (bench) => {
  const { programs, directory, log } = bench;
  const storage = join(directory, 'large');
  const source = await startRegistry({ program: programs.tools.registry.path, storage });
  const images = await publishFleet(source.address, largeImages(COUNT));
  const factory = await Factory.start(programs.tools.temporal.path, join(directory, 'large-run'), images);
  const worker = await factory.worker(source.address);
  const { cpu, seconds, samples } = await intoFreshTarget(
    programs.tools.registry.path,
    directory,
    async (registry) => {
      const before = worker.cpu();
      const { samples, result: run } = await sampling(SAMPLE_MS, worker.memory, () =>
        worker.run({ registry, include: repositories(images) }),
      );
      const cpu = worker.cpu() - before;
      log(`  ${run.seconds.toFixed(1)} s`);
      await validateCopies(bench, registry, images);
      return { cpu, seconds: run.seconds, samples };
    },
  );
  await worker.stop();
  await factory.stop();
  await source.stop();
  await clearAway(storage, asideIn(directory));

  const quarter = Math.floor(samples.length / 4);
  const early = median(samples.slice(quarter, 2 * quarter));
  const late = median(samples.slice(3 * quarter));
  const most = Math.max(...samples);
  const floor = await baselineCpu(directory);
  const perGigabyte = cpu / GIGABYTES;
  const ratio = perGigabyte / (floor.hash + floor.cat);
  return [
    {
      work: `worker's memory, ${COUNT} images of 1.5 GB at once`,
      peers: '',
      reach: `under ${MEMORY_MB} MB, flat over time`,
      measured: `at most ${most.toFixed(0)} MB; ${early.toFixed(0)} MB in the second quarter of ${seconds.toFixed(0)} s, ${late.toFixed(0)} MB in the last`,
      met: most < MEMORY_MB && late - early < FLAT_MB,
      note: `resident set, every ${SAMPLE_MS} ms`,
    },
    {
      work: 'CPU of the worker per GB',
      peers: `openssl dgst -sha256 ${floor.hash.toFixed(2)} s; cat from a socket into a socket ${floor.cat.toFixed(2)} s`,
      reach: `at most ${CPU} × of hashing plus cat through a socket`,
      measured: `${perGigabyte.toFixed(2)} s = ${ratio.toFixed(2)} × ${(floor.hash + floor.cat).toFixed(2)} s`,
      met: ratio <= CPU,
      note: `user and system time of the whole run, Temporal’s SDK included; a bare Node program that receives, hashes and sends, with no HTTP and no disk, takes ${floor.bareNode.toFixed(2)} s = ${(floor.bareNode / (floor.hash + floor.cat)).toFixed(2)} ×`,
    },
  ];
};
