import { execFile } from 'node:child_process';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { Lanes } from '../../src/common/lanes.js';
import type { BuildTask, PushTask } from '../../src/contract/activities.js';
import type { Digest, Reference } from '../../src/contract/brand.js';
import type { PushSummary } from '../../src/contract/outcome.js';
import type { BuildPushConfig, DiscoveredImage, RunConfig } from '../../src/contract/run.js';
import type { BuildEngine } from '../../src/engines/engine.js';
import { RegistryEngine } from '../../src/engines/registry.js';
import { BlobLocations } from '../../src/mirror/blob-locations.js';
import { SourceFetcher } from '../../src/mirror/fetch.js';
import { pushImage } from '../../src/mirror/push.js';
import { BLOBS_AT_ONCE } from '../../src/mirror/push-blobs.js';
import { verifyImage } from '../../src/mirror/verify.js';
import { RegistryClient } from '../../src/registry/client.js';
import { anonymous } from '../../src/registry/credentials.js';
import { digestOf } from '../../src/registry/digest.js';
import { atDigest, parseReference } from '../../src/registry/reference.js';
import type { BlobPart, Registry } from '../../src/registry/types.js';
import { DirectoryContentStore } from '../../src/store/content-directory.js';
import { FolderEvidenceStore } from '../../src/store/evidence-folder.js';
import { temporaryDirectory } from '../support/directory.js';
import { ref, type TestImage } from '../support/images.js';
import { startRegistry } from '../support/registry-server.js';

export const BUILD: BuildPushConfig = {
  name: 'default',
  templateDigest: digestOf('template'),
  engine: 'registry',
  platforms: [],
  labels: { 'com.example.team': 'platform' },
  annotations: {},
};

/** A source and a target, both real registries, and a worker's stores between them. */
export async function openSides(configuration: Record<string, unknown> = {}, program = 'registry') {
  const [source, target] = await Promise.all([
    startRegistry({ configuration, program }),
    startRegistry({ configuration, program }),
  ]);
  const directory = await temporaryDirectory();
  const client = () => new RegistryClient({ credentials: anonymous, insecureHosts: [] });
  const registry = client();
  const content = await DirectoryContentStore.open(`${directory}/content`);
  const evidence = new FolderEvidenceStore(`${directory}/evidence`);
  const fetcher = new SourceFetcher(registry, content);
  const engine: BuildEngine = new RegistryEngine(fetcher, content);
  onTestFinished(async () => {
    await registry.close();
    await Promise.all([source.stop(), target.stop()]);
  });
  return {
    source,
    target,
    registry,
    client,
    content,
    evidence,
    fetcher,
    engine,
    locations: new BlobLocations(),
    lanes: new Lanes(BLOBS_AT_ONCE),
    sourceReference: (name: string) => ref(`${source.host}/${name}`),
    targetReference: (name: string) => ref(`${target.host}/ci/${name}`),
  };
}

export type Sides = Awaited<ReturnType<typeof openSides>>;

/** Puts an image under a reference. */
export async function publish(
  registry: RegistryClient,
  reference: Reference,
  image: TestImage,
): Promise<void> {
  const repository = parseReference(reference);
  for (const { descriptor, bytes } of image.blobs) {
    const open = (part?: BlobPart): Readable =>
      Readable.from([part === undefined ? bytes : bytes.subarray(part.from, part.from + part.length)]);
    await registry.ensureBlob(repository, descriptor, open, {});
  }
  for (const manifest of image.manifests.filter((one) => one !== image.top)) {
    await registry.putManifest(atDigest(reference, manifest.descriptor.digest), manifest);
  }
  await registry.putManifest(reference, image.top);
}

export const context = (signal: AbortSignal = new AbortController().signal) => ({
  signal,
  progress: () => {},
});

export function buildTask(sides: Sides, name: string, sourceDigest: Digest, build = BUILD): BuildTask {
  return {
    runId: 'run-1',
    image: name,
    source: sides.sourceReference(name),
    sourceDigest,
    target: sides.targetReference(name),
    build,
  };
}

/** Publishes an image at the source and builds it: what a push gets. */
export async function built(sides: Sides, name: string, image: TestImage): Promise<PushTask> {
  await publish(sides.registry, sides.sourceReference(name), image);
  const task = buildTask(sides, name, image.top.descriptor.digest);
  return { ...task, built: await sides.engine.build(task, context()), repair: false };
}

/** Pushes and verifies: the tag is there afterwards. */
export async function mirror(
  sides: Omit<Sides, 'target'>,
  task: PushTask,
  target: Registry = sides.registry,
): Promise<PushSummary> {
  const summary = await pushImage(task, { ...sides, target }, context());
  await verifyImage(task, { ...sides, target }, context());
  return summary;
}

/** A run's configuration as the plan sees it. */
export function runConfig(sides: Sides, changes: Partial<RunConfig> = {}): RunConfig {
  return {
    registry: `${sides.target.host}/ci`,
    registryConnector: null,
    modifyDefault: false,
    maxConcurrency: 5,
    harness: { gateway: '', apiKeySecret: '', account: '' },
    infra: ['K8'],
    sourceRegistries: [sides.source.host],
    include: [],
    exclude: [],
    valueStyle: 'qualified',
    scan: true,
    dryRun: false,
    gatherScan: {
      name: 'default',
      digest: digestOf('gather-scan'),
      sources: ['default'],
      include: [],
      exclude: [],
      extraImages: [],
      policy: {
        failOn: 'CRITICAL',
        fixableOnly: true,
        action: 'warn',
        notScannable: 'warn',
        maxDatabaseAgeHours: 168,
        exceptions: [],
      },
      policyDigest: digestOf('policy'),
    },
    buildPush: BUILD,
    ...changes,
  };
}

export const discovered = (sides: Sides, name: string): DiscoveredImage => ({
  name,
  candidates: [sides.sourceReference(name)],
  target: sides.targetReference(name),
  fields: [{ infra: 'K8', field: 'addonTag' }],
});

/** Runs go-containerregistry's `crane`, a program that is not ours, against a registry. */
export async function crane(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('crane', args, { timeout: 30_000 });
  return stdout.trim();
}
