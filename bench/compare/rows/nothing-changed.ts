import { join } from 'node:path';
import type { Bench, Row } from '../bench.js';
import { repositories } from '../contestants.js';
import type { BenchWorker } from '../factory.js';
import { alternate, type Contestant, median, spread } from '../figures.js';
import { measured } from '../measured.js';
import { overFleet, type Peer } from '../peers.js';
import { type CountedRegistry, startCountedRegistry } from '../registries.js';
import { validateCopies } from '../validate.js';

const EVENTS = 60;
const REQUESTS = 2;

/** Everything is in place; another worker, with an empty content store, finds that out. */
export const nothingChanged: Row = async (bench) => {
  const { programs, directory, images } = bench;
  const registry = programs.tools.registry.path;
  const source = await startCountedRegistry(registry, bench.sourceStorage);
  const target = await startCountedRegistry(registry, join(directory, 'held'));
  const first = await bench.factory.worker(source.address);
  await first.run({ registry: `${target.address}/ours` });
  await validateCopies(bench, `${target.address}/ours`, images);
  await first.stop();

  const worker = await bench.factory.worker(source.address);
  const seen: Seen = { requests: 0, events: 0 };
  const contestants = [
    ourRun(worker, source, target, seen),
    ...bench.peers.map((peer) => peerCopies(bench, peer, target)),
  ];
  for (const peer of onePerOwner(bench.peers)) await peerCopies(bench, peer, target).once(images, true);
  const { times } = await alternate(contestants, images, bench.runs, bench.log);
  // Nothing is written by any run: one look after all of them tells the same as one after each.
  for (const owner of ['ours', ...new Set(bench.peers.map(ownerOf))])
    await validateCopies(bench, `${target.address}/${owner}`, images);
  await worker.stop();
  await source.stop();
  await target.stop();

  const seconds = times.ours ?? [];
  const perImage = seen.requests / images.length;
  const met = perImage <= REQUESTS && median(seconds) < 1 && seen.events <= EVENTS;
  return [
    {
      work: 'nothing changed, with an empty content store',
      peers: bench.peers.map(({ name }) => `${name} ${spread(times[name] ?? [])}`).join('; '),
      reach: `whole run at most ${REQUESTS} requests an image and under 1 s; at most ${EVENTS} history events`,
      measured: `${perImage.toFixed(2)} requests an image, ${spread(seconds)}, ${seen.events} events`,
      met,
    },
  ];
};

interface Seen {
  requests: number;
  events: number;
}

/** The most requests and events of any run are kept in `seen`. */
const ourRun = (
  worker: BenchWorker,
  source: CountedRegistry,
  target: CountedRegistry,
  seen: Seen,
): Contestant => ({
  name: 'ours',
  once: async (images) => {
    await worker.forgetContent();
    await Promise.all([source.drain(), target.drain()]);
    const { seconds, cpu, events, result } = await worker.run({
      registry: `${target.address}/ours`,
      include: repositories(images),
    });
    if (result.counts.unchanged !== images.length) throw new Error(JSON.stringify(result.counts));
    const requests = [...(await source.drain()), ...(await target.drain())].length;
    seen.requests = Math.max(seen.requests, requests);
    seen.events = Math.max(seen.events, events);
    return { seconds, cpu };
  },
});

/** Exact copies are everyone's; the docker loop's are not. */
const ownerOf = ({ exact }: Peer): string => (exact ? 'copies' : 'loop');

const onePerOwner = (peers: readonly Peer[]): Peer[] =>
  peers.filter((peer, at) => peers.findIndex((other) => ownerOf(other) === ownerOf(peer)) === at);

const peerCopies = (bench: Bench, peer: Peer, target: CountedRegistry): Contestant => ({
  name: peer.name,
  once: (images) =>
    measured(() =>
      overFleet(images, (image) =>
        peer.copy(`${bench.source}/${image}`, `${target.address}/${ownerOf(peer)}/${image}`),
      ),
    ),
});
