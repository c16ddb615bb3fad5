import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { createActivities } from '../../src/activities/index.js';
import { loadEnvironment } from '../../src/config/environment.js';
import { resolveRunConfig } from '../../src/config/resolve.js';
import { startHarnessSimulator } from '../../src/demo/harness-simulator/index.js';
import { startRegistry } from '../../src/demo/services/registry.js';
import { startTemporal } from '../../src/demo/services/temporal.js';
import { RegistryClient } from '../../src/registry/client.js';
import { anonymous } from '../../src/registry/credentials.js';
import { ensureSearchAttributes } from '../../src/temporal/search-attributes.js';
import { createDependencies } from '../../src/worker/create-dependencies.js';
import { publishMany } from './fleet.js';
import { measureRun } from './run.js';
import { recordVerdicts } from './verdicts.js';

/** Programs that it starts, where they lie. */
export interface Programs {
  temporal: { path: string };
  registry: { path: string };
}

/**
 * Three runs over so many images, in a world of their own: the first copies them all, the second finds nothing to do,
 * the third finds nothing to do and a verdict on record for each.
 */
export async function measureFleet(programs: Programs, count: number) {
  const directory = await mkdtemp(join(tmpdir(), 'image-factory-bench-'));
  const [temporal, source, target] = await Promise.all([
    startTemporal({ program: programs.temporal.path, uiPort: false }),
    startRegistry({ program: programs.registry.path }),
    startRegistry({ program: programs.registry.path }),
  ]);
  const registry = new RegistryClient({ credentials: anonymous, insecureHosts: [] });
  const images = await publishMany(registry, source.address, count);
  const harness = await startHarnessSimulator({
    account: 'bench',
    apiKey: 'pat.bench.a.b',
    defaults: { K8: Object.fromEntries(images.map(({ name }) => [name, `many/${name}:1`])) },
    connectors: [],
  });
  const connection = await Connection.connect({ address: temporal.address });
  await ensureSearchAttributes(connection, temporal.namespace);
  const client = new Client({ connection });
  const environment = loadEnvironment({
    PATH: process.env.PATH,
    HOME: directory,
    SOURCE_REGISTRY: source.address,
    HARNESS_API_KEY: 'pat.bench.a.b',
    HARNESS_URL: harness.url,
    REPORT_DIR: join(directory, 'reports'),
    CONTENT_DIR: join(directory, 'content'),
  });
  const { dependencies, close } = await createDependencies(environment, client);
  const native = await NativeConnection.connect({ address: temporal.address });
  const taskQueue = 'bench';
  const worker = await Worker.create({
    connection: native,
    taskQueue,
    workflowsPath: new URL('../../src/workflows/index.ts', import.meta.url).pathname,
    activities: createActivities(dependencies),
    maxHeartbeatThrottleInterval: '2s',
  });
  const running = worker.run();
  const input = { registry: target.address, maxConcurrency: 20 };
  const unscanned = () => measureRun(client, taskQueue, { ...input, scan: false });
  const first = await unscanned();
  const second = await unscanned();
  const { gatherScan } = await resolveRunConfig(input, environment, { now: new Date() });
  await recordVerdicts(dependencies.evidence, images, gatherScan.policyDigest);
  const judged = await measureRun(client, taskQueue, input);
  worker.shutdown();
  await running;
  await Promise.all([native.close(), connection.close(), close(), registry.close(), harness.stop()]);
  await Promise.all([temporal.stop(), source.stop(), target.stop()]);
  await rm(directory, { recursive: true, force: true });
  return [
    { images: count, run: 'first, not scanned', ...first },
    { images: count, run: 'nothing changed, not scanned', ...second },
    { images: count, run: 'nothing changed, verdicts on record', ...judged },
  ];
}
