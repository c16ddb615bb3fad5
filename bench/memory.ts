/**
 * What the worker needs of memory with five images of 300 MB in flight, without and with a scan (issue 4's limit). The
 * worker is the one that `npm run build` made, between two real registries on the loopback interface.
 *   npm run bench:memory
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { publishVulnerabilityDb } from '../src/demo/fleet/publish.js';
import { startRegistry } from '../src/demo/services/registry.js';
import { ensureTools } from '../src/demo/tools.js';
import { RegistryClient } from '../src/registry/client.js';
import { anonymous } from '../src/registry/credentials.js';
import { repositories } from './compare/contestants.js';
import { Factory } from './compare/factory.js';
import { machineOf } from './compare/machine.js';
import { intoFreshTarget } from './compare/registries.js';
import { sampling } from './compare/samples.js';
import { validateCopies } from './compare/validate.js';
import { publishFleet } from './data-path/fleet.js';

const FLEET = { images: 5, platforms: 1, baseBytes: 0, ownLayers: [300_000_000] } as const;
const LIMIT_MB = 350;
const SAMPLE_MS = 100;

const stops: (() => Promise<unknown>)[] = [];
const print = (line: string): boolean => process.stdout.write(`${line}\n`);
let met = true;
try {
  const directory = await mkdtemp(join(tmpdir(), 'image-factory-memory-'));
  stops.push(() => rm(directory, { recursive: true, force: true }));
  const tools = await ensureTools(['temporal', 'registry', 'trivy', 'crane']);
  const source = await startRegistry({ program: tools.registry.path, storage: join(directory, 'source') });
  stops.push(() => source.stop());
  const images = await publishFleet(source.address, FLEET);
  const client = new RegistryClient({ credentials: anonymous, insecureHosts: [] });
  const updatedAt = new Date().toISOString();
  const databases = await publishVulnerabilityDb(client, source.address, { updatedAt });
  await client.close();
  const factory = await Factory.start(tools.temporal.path, directory, images);
  stops.push(() => factory.stop());

  print(machineOf().join('\n'));
  print(
    `\n${FLEET.images} images of ${FLEET.ownLayers[0] / 1e6} MB at once, resident memory every ${SAMPLE_MS} ms\n`,
  );
  print('| scan | worker, before | worker, at most | under 350 MB | Trivy, at most | whole run |');
  print('| --- | --- | --- | --- | --- | --- |');
  for (const scan of [false, true]) {
    // A worker of its own: what one run has made a process grow by is not another's.
    const worker = await factory.worker(source.address, {
      TRIVY_DB_REPOSITORY: databases.dbRepository,
      TRIVY_JAVA_DB_REPOSITORY: databases.javaDbRepository,
      PATH: `${dirname(tools.trivy.path)}:${process.env.PATH}`,
    });
    const measure = () => ({ worker: worker.memory(), trivy: worker.memoryOfPrograms() });
    const { samples, result } = await intoFreshTarget(tools.registry.path, directory, async (registry) => {
      const measured = await sampling(SAMPLE_MS, measure, () =>
        worker.run({ registry, scan, include: repositories(images) }),
      );
      await validateCopies({ programs: { tools }, directory }, registry, images);
      return measured;
    });
    await worker.stop();
    if (result.result.counts.mirrored !== images.length)
      throw new Error(JSON.stringify(result.result.counts));
    const most = Math.max(...samples.map((sample) => sample.worker));
    const trivy = Math.max(...samples.map((sample) => sample.trivy));
    met &&= most < LIMIT_MB;
    print(
      `| ${scan ? 'on' : 'off'} | ${samples[0]?.worker.toFixed(0)} MB | ${most.toFixed(0)} MB | ${most < LIMIT_MB ? 'yes' : 'NO'} | ${scan ? `${trivy.toFixed(0)} MB` : '–'} | ${result.seconds.toFixed(1)} s |`,
    );
  }
} finally {
  for (const stop of stops.reverse()) await stop();
}
process.exitCode = met ? 0 : 1;
