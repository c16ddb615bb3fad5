/**
 * One run over very many small images: is its time linear, its history bounded, its report whole (issue 6, scale)?
 *   npm run bench:many -- 500 1000 5000
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import pLimit from 'p-limit';
import { createActivities } from '../src/activities/index.js';
import { loadEnvironment } from '../src/config/environment.js';
import { WORKFLOW } from '../src/contract/names.js';
import type { RunResult } from '../src/contract/outcome.js';
import { startHarnessSimulator } from '../src/demo/harness-simulator/index.js';
import { startRegistry } from '../src/demo/services/registry.js';
import { startTemporal } from '../src/demo/services/temporal.js';
import { ensureTools } from '../src/demo/tools.js';
import { RegistryClient } from '../src/registry/client.js';
import { anonymous } from '../src/registry/credentials.js';
import { digestOf } from '../src/registry/digest.js';
import { formatReference } from '../src/registry/reference.js';
import type { RawManifest } from '../src/registry/types.js';
import { ensureSearchAttributes } from '../src/temporal/search-attributes.js';
import { createDependencies } from '../src/worker/create-dependencies.js';

const sizes = process.argv
  .slice(2)
  .map(Number)
  .filter((n) => n > 0);
const tools = await ensureTools(['temporal', 'registry']);

const blob = (mediaType: string, bytes: Buffer) => ({
  descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length },
  bytes,
});

/** A one-platform image of a shared layer and a config of its own. */
async function publish(registry: RegistryClient, host: string, name: string): Promise<void> {
  const layer = blob('application/vnd.oci.image.layer.v1.tar', Buffer.alloc(1024));
  const config = blob(
    'application/vnd.oci.image.config.v1+json',
    Buffer.from(
      JSON.stringify({
        os: 'linux',
        architecture: 'amd64',
        config: { Env: [`NAME=${name}`] },
        rootfs: { type: 'layers', diff_ids: [layer.descriptor.digest] },
      }),
    ),
  );
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest: RawManifest = blob(
    mediaType,
    Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType, config: config.descriptor, layers: [layer.descriptor] }),
    ),
  );
  const repository = { host, path: `many/${name}` };
  for (const { descriptor, bytes } of [layer, config])
    await registry.ensureBlob(repository, descriptor, () => Readable.from([bytes]), {});
  await registry.putManifest(formatReference({ ...repository, tag: '1', digest: null }), manifest);
}

async function measure(images: number) {
  const directory = await mkdtemp(join(tmpdir(), 'image-factory-bench-'));
  const [temporal, source, target] = await Promise.all([
    startTemporal({ program: tools.temporal.path, uiPort: false }),
    startRegistry({ program: tools.registry.path }),
    startRegistry({ program: tools.registry.path }),
  ]);
  const names = Array.from({ length: images }, (_, n) => `image-${n}`);
  const registry = new RegistryClient({ credentials: anonymous, insecureHosts: [] });
  const limit = pLimit(16);
  await Promise.all(names.map((name) => limit(() => publish(registry, source.address, name))));
  const harness = await startHarnessSimulator({
    account: 'bench',
    apiKey: 'pat.bench.a.b',
    defaults: { K8: Object.fromEntries(names.map((name) => [name, `many/${name}:1`])) },
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
  const worker = await Worker.create({
    connection: native,
    taskQueue: 'bench',
    workflowsPath: new URL('../src/workflows/index.ts', import.meta.url).pathname,
    activities: createActivities(dependencies),
    maxHeartbeatThrottleInterval: '2s',
  });
  const running = worker.run();
  const runOnce = async () => {
    const began = performance.now();
    const handle = await client.workflow.start(WORKFLOW.imageFactory, {
      workflowId: 'bench',
      taskQueue: 'bench',
      args: [{ registry: target.address, scan: false, maxConcurrency: 20 }],
    });
    const result: RunResult = await handle.result();
    const seconds = (performance.now() - began) / 1000;
    let events = 0;
    let bytes = 0;
    let executions = 0;
    for await (const { runId } of client.workflow.list({ query: `WorkflowId = 'bench'` })) {
      const { raw } = await client.workflow.getHandle('bench', runId).describe();
      const info = raw.workflowExecutionInfo;
      if (info?.firstRunId !== result.runId && runId !== result.runId) continue;
      executions++;
      events = Math.max(events, Number(info?.historyLength ?? 0));
      bytes = Math.max(bytes, Number(info?.historySizeBytes ?? 0));
    }
    const report = JSON.parse(await readFile(result.report?.json ?? '', 'utf8')) as { images: unknown[] };
    return { seconds, counts: result.counts, executions, events, bytes, reported: report.images.length };
  };
  const first = await runOnce();
  const second = await runOnce();
  worker.shutdown();
  await running;
  await Promise.all([native.close(), connection.close(), close(), registry.close(), harness.stop()]);
  await Promise.all([temporal.stop(), source.stop(), target.stop()]);
  await rm(directory, { recursive: true, force: true });
  return { first, second };
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
process.stdout.write(
  `${cpus().length} cores, Node ${process.version}, everything on one machine; not scanned, 20 at once\n\n`,
);
process.stdout.write(
  '| images | run | time | per image | executions | most events | most history | in the report |\n|---|---|---|---|---|---|---|---|\n',
);
for (const images of sizes) {
  const { first, second } = await measure(images);
  for (const [name, run] of [
    ['first', first],
    ['nothing changed', second],
  ] as const) {
    const { seconds, executions, events, bytes, reported } = run;
    process.stdout.write(
      `| ${images} | ${name} | ${seconds.toFixed(1)} s | ${((seconds / images) * 1000).toFixed(0)} ms | ${executions} | ${events} | ${megabytes(bytes)} MB | ${reported} |\n`,
    );
  }
}
