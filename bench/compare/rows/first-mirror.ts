import { cpus } from 'node:os';
import type { Row } from '../bench.js';
import { dataPathMirrors, peerMirrors, runMirrors } from '../contestants.js';
import { alternate, median, spread } from '../figures.js';

/** First mirror of the fleet with labels on all platforms, no scan. */
export const firstMirror: Row = async (bench) => {
  const worker = await bench.factory.worker(bench.source);
  const workerCpu: number[] = [];
  const run = runMirrors(bench, worker, { scan: false, seen: (one) => workerCpu.push(one.workerCpu) });
  const ours = [dataPathMirrors(bench), run];
  const contestants = [...ours, ...bench.peers.map((peer) => peerMirrors(bench, peer))];
  const { times, cpu } = await alternate(contestants, bench.images, bench.runs, bench.log);
  await worker.stop();
  const { regctl = [], 'ours, data path': alone = [], 'ours, whole run': whole = [] } = times;
  const peers = bench.peers.map(({ name }) => `${name} ${spread(times[name] ?? [])}`).join('; ');
  const cores = cpus().length;
  const cpuOf = (name: string): number => median(cpu[name] ?? []);
  workerCpu.shift(); // the one image that warms up
  const [busy, theirs] = [cpuOf('ours, whole run'), cpuOf('regctl')];
  const perImage = ((median(whole) - median(alone)) / bench.images.length) * 1000;
  const line = (work: string, seconds: number[], factor: number, note: string) => {
    const ratio = median(seconds) / median(regctl);
    return {
      work,
      peers,
      reach: `at most ${factor.toFixed(1)} × regctl's`,
      measured: `${spread(seconds)} = ${ratio.toFixed(2)} × regctl's`,
      met: ratio <= factor,
      note,
    };
  };
  return [
    line(
      'first mirror with labels on all platforms, no scan: the data path alone',
      alone,
      0.9,
      `one process, warmed by five images that go elsewhere; verify is part of it. All that ran took ${cpuOf('ours, data path').toFixed(1)} s of CPU, the registries' included, with regctl ${theirs.toFixed(1)} s: with ${cores} cores that is what the time is`,
    ),
    line(
      'the same, whole run, Temporal server and worker on the same cores',
      whole,
      1,
      `orchestration: ${perImage.toFixed(0)} ms an image, as whole run less data path. All that ran took ${busy.toFixed(1)} s of CPU, of which our worker ${median(workerCpu).toFixed(1)} s with Temporal's SDK, the rest the registries and Temporal's server: that is ${(busy / cores).toFixed(1)} s of ${cores} cores at the least`,
    ),
  ];
};
