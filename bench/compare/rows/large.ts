import { join } from 'node:path';
import { startRegistry } from '../../../src/demo/services/registry.js';
import { asideIn, clearAway } from '../../clear.js';
import { largeImages, publishFleet } from '../../data-path/fleet.js';
import { type BaselineCpu, baselineCpu } from '../baseline.js';
import type { Bench, Row } from '../bench.js';
import { repositories } from '../contestants.js';
import { type BenchWorker, Factory } from '../factory.js';
import { median, spread } from '../figures.js';
import type { Line } from '../line.js';
import { intoFreshTarget } from '../registries.js';
import { sampling } from '../samples.js';
import { validateCopies } from '../validate.js';

const COUNT = 5;
const GIGABYTES = COUNT * 1.5;
const MEMORY_MB = 350;
const CPU = 1.3;
const SAMPLE_MS = 200;
/**
 * What a run may add from its second quarter to its last, and all runs from the first one's second quarter: memory that
 * grows with the bytes adds by far more.
 */
const FLAT_MB = 40;

/** What one run of the worker took, and what nobody can do without, measured right after it. */
interface Taken {
  /** Of the worker, in seconds. */
  cpu: number;
  seconds: number;
  memory: Memory;
  floor: BaselineCpu;
}

/** Resident memory during one run, in MB. */
interface Memory {
  most: number;
  /** In the second quarter of the run. */
  early: number;
  /** In its last. */
  late: number;
}

/** Five images of 1.5 GB at once: what the worker needs of memory and processor. */
export const largeImagesRow: Row = async (bench) => {
  const { programs, directory, runs, log } = bench;
  const storage = join(directory, 'large');
  const source = await startRegistry({ program: programs.tools.registry.path, storage });
  const images = await publishFleet(source.address, largeImages(COUNT));
  const factory = await Factory.start(programs.tools.temporal.path, join(directory, 'large-run'), images);
  const worker = await factory.worker(source.address);
  const taken: Taken[] = [];
  for (let run = 1; run <= runs; run++) {
    const one = await oneRun(bench, worker, images, run === runs);
    log(`  ${run} of ${runs}: ${one.seconds.toFixed(1)} s, ${one.memory.late.toFixed(0)} MB at its end`);
    taken.push(one);
  }
  await worker.stop();
  await factory.stop();
  await source.stop();
  await clearAway(storage, asideIn(directory));
  return [memoryLine(taken), cpuLine(taken)];
};

async function oneRun(
  bench: Bench,
  worker: BenchWorker,
  images: readonly string[],
  last: boolean,
): Promise<Taken> {
  const { programs, directory } = bench;
  await worker.forget();
  const taken = await intoFreshTarget(programs.tools.registry.path, directory, async (registry) => {
    const { samples, result } = await sampling(SAMPLE_MS, worker.memory, () =>
      worker.run({ registry, include: repositories(images) }),
    );
    await validateCopies(bench, registry, images, last ? 'whole' : 'fast');
    return { cpu: result.workerCpu, seconds: result.seconds, memory: memoryOf(samples) };
  });
  return { ...taken, floor: await baselineCpu(directory) };
}

function memoryOf(samples: readonly number[]): Memory {
  const quarter = Math.floor(samples.length / 4);
  return {
    most: Math.max(...samples),
    early: median(samples.slice(quarter, 2 * quarter)),
    late: median(samples.slice(3 * quarter)),
  };
}

function memoryLine(taken: readonly Taken[]): Line {
  const runs = taken.map(({ memory }) => memory);
  const most = Math.max(...runs.map((run) => run.most));
  const early = runs[0]?.early ?? Number.NaN;
  const late = runs.at(-1)?.late ?? Number.NaN;
  const growth = Math.max(late - early, ...runs.map((run) => run.late - run.early));
  return {
    work: `worker's memory, ${COUNT} images of 1.5 GB at once`,
    peers: '',
    reach: `under ${MEMORY_MB} MB, flat over time`,
    measured: `at most ${most.toFixed(0)} MB; ${early.toFixed(0)} MB in the second quarter of the first run (${taken[0]?.seconds.toFixed(0)} s), ${late.toFixed(0)} MB in the last quarter of the last of ${taken.length}`,
    met: most < MEMORY_MB && growth < FLAT_MB,
    note: `resident set of one worker in all runs, every ${SAMPLE_MS} ms`,
  };
}

function cpuLine(taken: readonly Taken[]): Line {
  const of = (part: keyof BaselineCpu): number => median(taken.map(({ floor }) => floor[part]));
  const floor = of('hash') + of('cat');
  const perGigabyte = taken.map(({ cpu }) => cpu / GIGABYTES);
  const ratio = median(perGigabyte) / floor;
  return {
    work: 'CPU of the worker per GB',
    peers: `openssl dgst -sha256 ${of('hash').toFixed(2)} s; cat from a socket into a socket ${of('cat').toFixed(2)} s`,
    reach: `at most ${CPU} × of hashing plus cat through a socket`,
    measured: `${spread(perGigabyte)} = ${ratio.toFixed(2)} × ${floor.toFixed(2)} s`,
    met: ratio <= CPU,
    note: `user and system time of the whole run, Temporal’s SDK included; a bare Node program that receives, hashes and sends, with no HTTP and no disk, takes ${of('bareNode').toFixed(2)} s = ${(of('bareNode') / floor).toFixed(2)} ×`,
  };
}
