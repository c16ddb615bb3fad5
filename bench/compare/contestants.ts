import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { asideIn, clearAway } from '../clear.js';
import type { MirrorFigures, MirrorOptions } from '../data-path/mirror.js';
import type { Bench } from './bench.js';
import type { BenchWorker, WholeRun } from './factory.js';
import type { Contestant } from './figures.js';
import { type Measured, measured } from './measured.js';
import { CONCURRENCY, LABEL, overFleet, type Peer } from './peers.js';
import { intoFreshTarget } from './registries.js';
import { validateCopies } from './validate.js';

const CHILD = fileURLToPath(new URL('../data-path/child.ts', import.meta.url));

/** Work into an empty registry; afterwards every copy is validated, in full where no run comes after it. */
const intoTarget = async (
  bench: Bench,
  images: readonly string[],
  last: boolean,
  work: (target: string) => Promise<Measured>,
): Promise<Measured> =>
  intoFreshTarget(bench.programs.tools.registry.path, bench.directory, async (target) => {
    const figures = await work(target);
    await validateCopies(bench, target, images, last ? 'whole' : 'fast');
    return figures;
  });

/** A peer that mirrors into an empty registry. @param reach how the peer reaches it. */
export const peerMirrors = (
  bench: Bench,
  peer: Peer,
  reach = async (target: string): Promise<string> => target,
): Contestant => ({
  name: peer.name,
  once: async (images, last) => {
    await peer.forget?.();
    return intoTarget(bench, images, last, async (target) => {
      const to = await reach(target);
      return measured(() =>
        overFleet(images, (image) => peer.mirror(`${bench.source}/${image}`, `${to}/${image}`)),
      );
    });
  },
});

/** The functions that the activities call, in one process without Temporal; the process's start is not counted. */
export async function dataPath(
  options: Omit<MirrorOptions, 'concurrency' | 'labels'>,
): Promise<MirrorFigures> {
  const whole: MirrorOptions = {
    ...options,
    concurrency: CONCURRENCY,
    labels: { [LABEL.key]: LABEL.value },
  };
  const args = ['--import', 'tsx', CHILD, JSON.stringify(whole)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout); // the child's MirrorFigures
}

export const dataPathMirrors = (bench: Bench): Contestant => ({
  name: 'ours, data path',
  once: async (images, last) => {
    const own = join(bench.directory, 'data-path');
    const figures = await intoTarget(bench, images, last, async (target) => {
      const { ms, machineCpuMs } = await dataPath({
        source: bench.source,
        target,
        images,
        contentDir: join(own, 'content'),
        warm: true,
      });
      return { seconds: ms / 1000, cpu: machineCpuMs / 1000 };
    });
    await clearAway(own, asideIn(bench.directory));
    return figures;
  },
});

/** A whole run of the product, whose worker has nothing of the images before. */
export const runMirrors = (
  bench: Bench,
  worker: BenchWorker,
  { scan, seen }: { scan: boolean; seen?: (run: WholeRun) => void },
): Contestant => ({
  name: 'ours, whole run',
  once: async (images, last) => {
    await worker.forget();
    return intoTarget(bench, images, last, async (target) => {
      const run = await worker.run({ registry: target, scan, include: repositories(images) });
      const { seconds, cpu, result } = run;
      if (result.counts.mirrored !== images.length) throw new Error(JSON.stringify(result.counts));
      seen?.(run);
      return { seconds, cpu };
    });
  },
});

/** `bench/app-00:1` → `bench/app-00`, as a run's `include` wants it. */
export const repositories = (images: readonly string[]): string[] =>
  images.map((image) => image.split(':', 1)[0] ?? image);
