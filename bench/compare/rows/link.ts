import type { Bench, Row } from '../bench.js';
import { peerMirrors, repositories } from '../contestants.js';
import type { BenchWorker } from '../factory.js';
import { alternate, type Contestant, median, spread } from '../figures.js';
import { type Link, startLink } from '../link.js';
import { intoFreshTarget } from '../registries.js';
import { validateCopies } from '../validate.js';

const BYTES_PER_SECOND = 60e6;
const DELAY_MS = 20;

/** The first mirror over a slow link: all downloads share one direction of it, all uploads the other. */
export const slowLink: Row = async (bench) => {
  const link = startLink({ bytesPerSecond: BYTES_PER_SECOND, delayMs: DELAY_MS });
  const far = { ...bench, source: await link.to(bench.source) };
  const worker = await bench.factory.worker(far.source);
  const edges: number[] = [];
  const regctl = bench.peers
    .filter(({ name }) => name === 'regctl')
    .map((peer) => peerMirrors(far, peer, (target) => link.to(target)));
  const contestants = [runOver(link, bench, worker, edges), ...regctl];
  const { times } = await alternate(contestants, bench.images, bench.runs, bench.log).finally(async () => {
    await worker.stop();
    await link.stop();
  });
  edges.shift(); // the one image that warms up
  const { ours = [], regctl: theirs = [] } = times;
  const ideal = bench.bytes / BYTES_PER_SECOND;
  const ratio = median(ours) / ideal;
  return [
    {
      work: 'the same over a link of 60 MB/s and 20 ms each way',
      peers: `regctl ${spread(theirs)}`,
      reach: 'at most 1.1 × bytes / bandwidth, whole run',
      measured: `${spread(ours)} = ${ratio.toFixed(2)} × ${ideal.toFixed(2)} s`,
      met: ratio <= 1.1,
      note: `all connections share the link's 60 MB/s in each direction, and a buffer of bandwidth × round trip in front of it, as at a router (toxiproxy gives each connection as much for itself, which would be met too easily). ${median(edges).toFixed(1)} s pass before the first layer's bytes and after the last's`,
    },
  ];
};

const runOver = (link: Link, bench: Bench, worker: BenchWorker, edges: number[]): Contestant => ({
  name: 'ours',
  once: async (images, last) => {
    await worker.forget();
    return intoFreshTarget(bench.programs.tools.registry.path, bench.directory, async (target) => {
      const registry = await link.to(target);
      link.takeUploadSeconds();
      const { seconds, cpu } = await worker.run({ registry, include: repositories(images) });
      edges.push(seconds - link.takeUploadSeconds());
      await validateCopies(bench, target, images, last ? 'whole' : 'fast');
      return { seconds, cpu };
    });
  },
});
