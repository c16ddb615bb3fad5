import type { Row } from '../bench.js';
import { repositories } from '../contestants.js';
import { median, spread } from '../figures.js';
import { startLink } from '../link.js';
import { intoFreshTarget } from '../registries.js';
import { validateCopies } from '../validate.js';

const BYTES_PER_SECOND = 60e6;
const DELAY_MS = 20;

/** The first mirror over a slow link: all downloads share one direction of it, all uploads the other. */
export const slowLink: Row = async (bench) => {
  const { programs, directory, images, runs, log } = bench;
  const link = startLink({ bytesPerSecond: BYTES_PER_SECOND, delayMs: DELAY_MS });
  const worker = await bench.factory.worker(await link.to(bench.source));
  const once = (some: readonly string[], last: boolean): Promise<{ seconds: number; uploading: number }> =>
    intoFreshTarget(programs.tools.registry.path, directory, async (target) => {
      await worker.forget();
      const registry = await link.to(target);
      const { seconds } = await worker.run({ registry, include: repositories(some) });
      const uploading = link.uploading();
      await validateCopies(bench, target, some, last ? 'whole' : 'fast');
      return { seconds, uploading };
    });
  await once(images.slice(0, 1), true); // warms up, as everywhere
  const seconds: number[] = [];
  const edges: number[] = [];
  for (let run = 0; run < runs; run++) {
    link.uploading();
    const took = await once(images, run === runs - 1);
    seconds.push(took.seconds);
    edges.push(took.seconds - took.uploading);
    log(`  ${run + 1} of ${runs}: ${seconds.at(-1)?.toFixed(2)} s`);
  }
  await worker.stop();
  await link.stop();
  const ideal = bench.bytes / BYTES_PER_SECOND;
  const ratio = median(seconds) / ideal;
  return [
    {
      work: 'the same over a link of 60 MB/s and 20 ms each way',
      peers: '',
      reach: 'at most 1.1 × bytes / bandwidth, whole run',
      measured: `${spread(seconds)} = ${ratio.toFixed(2)} × ${ideal.toFixed(2)} s`,
      met: ratio <= 1.1,
      note: `all connections share the link's 60 MB/s in each direction; toxiproxy gives each connection as much for itself, which would be met too easily. ${median(edges).toFixed(1)} s pass before the first layer's bytes and after the last's (plan, manifests, verify, account, report: a dozen round trips behind one another); the rest is lost while images wait for answers that stand behind layers on the link`,
    },
  ];
};
