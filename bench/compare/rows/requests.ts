import { join } from 'node:path';
import { asideIn, clearAway } from '../../clear.js';
import type { Bench, Row } from '../bench.js';
import { dataPath } from '../contestants.js';
import type { CountedRegistry } from '../registries.js';
import { startCountedRegistry } from '../registries.js';
import { validateCopies } from '../validate.js';

/** Of an image of the fleet. */
const PLATFORMS = 2;
const LAYERS = 3;
const REACH = {
  plan: 2,
  copy: 2 + 5 * PLATFORMS + 3 * PLATFORMS * LAYERS,
  verify: 1 + 2 * PLATFORMS + PLATFORMS * LAYERS,
};

/** How often the registries are asked for one new image, by their own access logs. */
export const requestsForNew: Row = async (bench) => {
  const { programs, directory, peers } = bench;
  const registry = programs.tools.registry.path;
  const image = bench.images[0] ?? '';
  const source = await startCountedRegistry(registry, bench.sourceStorage);
  const counted = async (
    work: (target: CountedRegistry) => Promise<unknown>,
    { tagged } = { tagged: true },
  ): Promise<number> => {
    const storage = join(directory, 'counted');
    const target = await startCountedRegistry(registry, storage);
    await source.drain();
    await work(target);
    const requests = [...(await source.drain()), ...(await target.drain())].length;
    if (tagged) await validateCopies(bench, target.address, [image]);
    await target.stop();
    await clearAway(storage, asideIn(directory));
    return requests;
  };
  const ours = (verify: boolean): Promise<number> =>
    counted((target) => mirror(bench, source, target, verify), { tagged: verify });
  const unverified = await ours(false);
  const verify = (await ours(true)) - unverified;
  const copy = unverified - REACH.plan;
  const theirs: string[] = [];
  for (const { name, mirror: one, forget } of peers) {
    await forget?.();
    const requests = await counted((target) =>
      one(`${source.address}/${image}`, `${target.address}/${image}`),
    );
    theirs.push(`${name} ${requests}`);
  }
  await source.stop();
  return [
    {
      work: `requests for a new image (${PLATFORMS} platforms, ${LAYERS} layers each; without auth)`,
      peers: theirs.join('; '),
      reach: `the copy at most 2+5P+3PN = ${REACH.copy}; plan ${REACH.plan} more; verify 1+2P+PN = ${REACH.verify} more`,
      measured: `copy ${copy}, plan ${REACH.plan}, verify ${verify}`,
      met: copy <= REACH.copy && copy + verify <= REACH.copy + REACH.verify,
      note: 'the tag is put by verify, after all else was seen there: one request more in verify, one less in the copy',
    },
  ];
};

async function mirror(
  { directory, images }: Bench,
  source: CountedRegistry,
  target: CountedRegistry,
  verify: boolean,
): Promise<void> {
  const own = join(directory, 'requests');
  await dataPath({
    ...{ source: source.address, target: target.address, verify },
    images: images.slice(0, 1),
    contentDir: join(own, 'content'),
  });
  await clearAway(own, asideIn(directory));
}
