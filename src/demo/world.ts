import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RegistryClient } from '../registry/client.js';
import { anonymous } from '../registry/credentials.js';
import type { Registry } from '../registry/types.js';
import { DEFAULT_CONFIG } from './fleet/default-config.js';
import { type DebianRoot, demoFleet, type FleetImage } from './fleet/fleet.js';
import { publishFleet, publishVulnerabilityDb } from './fleet/publish.js';
import { type HarnessSimulator, startHarnessSimulator } from './harness-simulator/index.js';
import { startRegistry, WINDOWS_BASES_ALLOWED } from './services/registry.js';
import { type S3Service, startS3 } from './services/s3.js';
import { startTemporal, type TemporalService } from './services/temporal.js';
import { startWorker } from './services/worker.js';
import type { Tool, ToolName } from './tools.js';

/** The account and key of the demo's Harness. Both are made up, and good for nothing else. */
const ACCOUNT = 'demoAccount';
const API_KEY = `pat.${ACCOUNT}.demoTokenId.demoSecret`;
/** The template that the demo writes: the default one, but what it finds blocks. */
const TEMPLATE = 'blocking';
const CONNECTOR = 'harnessImage';
/** Where evidence is kept with `--s3`. */
export const BUCKET = 'image-factory';

export interface World {
  temporal: TemporalService;
  harness: HarnessSimulator;
  /** `host:port` of the registry that plays Docker Hub, and of the company's own. */
  source: string;
  target: string;
  /** Where the company's registry keeps its content on disk. */
  targetStorage: string;
  fleet: FleetImage[];
  /** Absent when evidence is in {@link reportDir}. */
  s3: S3Service | undefined;
  reportDir: string;
  /** The run's input: what a person would give. */
  input: Record<string, unknown>;
  stop(): Promise<void>;
}

export interface WorldOptions {
  /** With `versitygw`, evidence goes to an S3 server instead of `reportDir`. */
  tools: Record<(typeof WORLD_TOOLS)[number], Tool> & { versitygw?: Tool };
  reportDir: string;
  debianRoot?: DebianRoot | undefined;
  /** Gets each line that the worker prints. */
  log?: (line: string) => void;
  signal?: AbortSignal;
}

/**
 * Everything that a run needs, on this machine: a Temporal server, a registry with the fleet and the vulnerability
 * database, an empty registry, a Harness account and a worker. All of it ends with this process, whatever happens.
 */
export async function startWorld(options: WorldOptions): Promise<World> {
  const { tools, signal } = options;
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const one of stops.reverse()) await one();
  };
  const started = async <T extends { stop(): Promise<void> }>(service: Promise<T>): Promise<T> => {
    const value = await service;
    stops.push(() => value.stop());
    return value;
  };
  const fleet = demoFleet(options.debianRoot);
  const cancel = signal === undefined ? {} : { signal };
  try {
    const directory = await mkdtemp(join(tmpdir(), 'image-factory-demo-'));
    stops.push(() => rm(directory, { recursive: true, force: true }));
    const registry = { program: tools.registry.path, configuration: WINDOWS_BASES_ALLOWED, ...cancel };
    const starting = [
      started(startTemporal({ program: tools.temporal.path, ...cancel })),
      started(startRegistry(registry)),
      started(startRegistry(registry)),
      tools.versitygw && started(startS3({ program: tools.versitygw.path, buckets: [BUCKET], ...cancel })),
    ] as const;
    // When one does not start, `stop` must know of the others: each would keep this process alive.
    await Promise.allSettled(starting);
    const [temporal, source, target, s3] = await Promise.all(starting);
    const harness = await started(startHarnessSimulator(account(target.address)));
    const databases = await publish(fleet, source.address, signal);
    const templates = await writeTemplate(directory);
    await started(
      startWorker({
        env: {
          TEMPORAL_ADDRESS: temporal.address,
          SOURCE_REGISTRY: source.address,
          HARNESS_API_KEY: API_KEY,
          HARNESS_URL: harness.url,
          ...(s3 === undefined ? { REPORT_DIR: options.reportDir } : evidenceIn(s3)),
          CONTENT_DIR: join(directory, 'content'),
          TEMPLATE_DIR: templates,
          TRIVY_PATH: tools.trivy.path,
          TRIVY_CACHE_DIR: join(directory, 'trivy'),
          TRIVY_DB_REPOSITORY: databases.dbRepository,
          TRIVY_JAVA_DB_REPOSITORY: databases.javaDbRepository,
        },
        removeAfter: directory, // also when nobody is left to call `stop`
        ...(options.log === undefined ? {} : { log: options.log }),
        ...cancel,
      }),
    );
    return {
      temporal,
      harness,
      source: source.address,
      target: target.address,
      targetStorage: target.storage,
      fleet,
      s3,
      reportDir: options.reportDir,
      input: {
        registry: `${target.address}/ci`,
        registryConnector: `account.${CONNECTOR}`,
        modifyDefault: true,
        gatherScanTemplate: TEMPLATE,
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** An account that runs the fleet, and has pinned one field, so that a restore has something to put back. */
const account = (target: string): Parameters<typeof startHarnessSimulator>[0] => ({
  account: ACCOUNT,
  apiKey: API_KEY,
  defaults: { K8: { ...DEFAULT_CONFIG } },
  overrides: { K8: { gitCloneTag: 'harness/drone-git:1.5.4-rootless' } },
  connectors: [{ identifier: CONNECTOR, dockerRegistryUrl: `http://${target}` }],
});

/** The worker's settings for a bucket. */
const evidenceIn = ({ endpoint, credentials }: S3Service): Record<string, string> => ({
  S3_BUCKET: BUCKET,
  AWS_ENDPOINT_URL_S3: endpoint,
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
});

/** A client for the demo's own registries, for as long as `work` takes. */
export async function withRegistry<T>(work: (registry: Registry) => Promise<T>): Promise<T> {
  const registry = new RegistryClient({ credentials: anonymous, insecureHosts: [] });
  try {
    return await work(registry);
  } finally {
    await registry.close();
  }
}

const publish = (fleet: readonly FleetImage[], host: string, signal: AbortSignal | undefined) =>
  withRegistry(async (registry) => {
    await publishFleet(registry, host, fleet, signal);
    return publishVulnerabilityDb(registry, host, {
      updatedAt: new Date().toISOString(),
      ...(signal === undefined ? {} : { signal }),
    });
  });

async function writeTemplate(directory: string): Promise<string> {
  const root = join(directory, 'templates');
  await mkdir(join(root, 'gather-scan'), { recursive: true });
  await writeFile(join(root, 'gather-scan', `${TEMPLATE}.yaml`), 'policy:\n  action: block\n');
  return root;
}

export const WORLD_TOOLS = ['temporal', 'trivy', 'registry'] as const satisfies readonly ToolName[];
