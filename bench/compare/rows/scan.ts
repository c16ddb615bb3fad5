import { cpus } from 'node:os';
import { join } from 'node:path';
import { publishVulnerabilityDb } from '../../../src/demo/fleet/publish.js';
import { javaDb, vulnerabilityDb, writeCacheDir } from '../../../src/demo/trivy-db.js';
import { asideIn, clearAway } from '../../clear.js';
import type { Bench, Row } from '../bench.js';
import { command } from '../command.js';
import { peerMirrors, repositories, runMirrors } from '../contestants.js';
import { alternate, type Contestant, median, spread } from '../figures.js';
import { measured } from '../measured.js';
import { intoFreshTarget, startCountedRegistry } from '../registries.js';
import { validateCopies } from '../validate.js';

const PLATFORMS = ['linux/amd64', 'linux/arm64'];
/** Trivy locks its cache, so each of those at once has one; what one has seen, it need not see again. */
const AT_ONCE = 2;

/** A first mirror with every platform scanned, beside Trivy and regctl one after the other; and what left the source. */
export const withScan: Row = async (bench) => {
  const { factory, images, runs, log, programs, directory } = bench;
  const source = await startCountedRegistry(programs.tools.registry.path, bench.sourceStorage);
  const updatedAt = new Date().toISOString();
  const database = await publishVulnerabilityDb(bench.client, bench.source, { updatedAt });
  const worker = await factory.worker(source.address, {
    TRIVY_DB_REPOSITORY: database.dbRepository,
    TRIVY_JAVA_DB_REPOSITORY: database.javaDbRepository,
    PATH: `${join(programs.tools.trivy.path, '..')}:${process.env.PATH}`,
  });
  const regctl = bench.peers.filter(({ name }) => name === 'regctl').map((peer) => peerMirrors(bench, peer));
  const workerCpu: number[] = [];
  const contestants = [
    {
      ...runMirrors(bench, worker, { scan: true, seen: (run) => workerCpu.push(run.workerCpu) }),
      name: 'ours',
    },
    trivyAlone(bench, updatedAt),
    ...regctl,
  ];
  const { times, cpu } = await alternate(contestants, images, runs, log);
  workerCpu.shift(); // the one image that warms up
  const { ours = [], trivy = [], regctl: copies = [] } = times;

  await worker.forget();
  await source.drain();
  await intoFreshTarget(programs.tools.registry.path, directory, async (registry) => {
    await worker.run({ registry, scan: true, include: repositories(images) });
    await validateCopies(bench, registry, images);
  });
  const sent = (await source.drain())
    .filter(({ method, path }) => method === 'GET' && path.includes('/blobs/'))
    .reduce((sum, { bytes }) => sum + bytes, 0);
  await worker.stop();
  await source.stop();

  const both = median(trivy) + median(copies);
  const cores = cpus().length;
  const ratio = median(ours) / both;
  const share = sent / bench.bytes;
  return [
    {
      work: 'first mirror with Trivy on every platform',
      peers: `Trivy alone from the registry, 2 at a time, ${spread(trivy)}; then regctl image mod ${spread(copies)}`,
      reach: 'at most 0.9 × the sum of both',
      measured: `${spread(ours)} = ${ratio.toFixed(2)} × ${both.toFixed(2)} s`,
      met: ratio <= 0.9,
      note: `all that ran took ${median(cpu.ours ?? []).toFixed(1)} s of CPU, of which our worker ${median(workerCpu).toFixed(1)} s, the rest Trivy, the registries and Temporal's server; ${cores} cores have ${(0.9 * both * cores).toFixed(1)} s in the time to reach. Trivy alone took ${median(cpu.trivy ?? []).toFixed(1)} s, regctl ${median(cpu.regctl ?? []).toFixed(1)} s`,
    },
    {
      work: 'bytes that leave the source, scan included',
      peers: '2 × (Trivy pulls, then the copy pulls)',
      reach: '1.00 × the distinct blobs of the fleet',
      measured: `${(sent / 1e6).toFixed(1)} MB = ${share.toFixed(2)} × ${(bench.bytes / 1e6).toFixed(1)} MB`,
      met: sent <= bench.bytes * 1.005,
    },
  ];
};

/** Trivy as people run it, whose database is there already and whose caches are empty. */
const trivyAlone = ({ programs, source, directory }: Bench, updatedAt: string): Contestant => ({
  name: 'trivy',
  once: async (images) => {
    const caches = Array.from({ length: AT_ONCE }, (_, lane) => join(directory, `trivy-${lane}`));
    for (const cache of caches)
      await writeCacheDir(cache, [vulnerabilityDb({ updatedAt }), javaDb({ updatedAt })]);
    const work = images.flatMap((image) => PLATFORMS.map((platform) => ({ image, platform })));
    const scan = (cache: string, { image, platform }: { image: string; platform: string }): Promise<string> =>
      command(
        programs.tools.trivy.path,
        [
          ...['image', '--quiet', '--format', 'json', '--scanners', 'vuln', '--image-src', 'remote'],
          ...['--skip-db-update', '--skip-java-db-update', '--skip-version-check', '--offline-scan'],
          ...['--cache-dir', cache, '--platform', platform, `${source}/${image}`],
        ],
        { home: directory },
      );
    const figures = await measured(() =>
      Promise.all(
        caches.map(async (cache) => {
          for (let next = work.shift(); next !== undefined; next = work.shift()) await scan(cache, next);
        }),
      ),
    );
    for (const cache of caches) await clearAway(cache, asideIn(directory));
    return figures;
  },
});
