import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StepContext } from '../../src/common/step.js';
import { loadEnvironment } from '../../src/config/environment.js';
import type { ScanTask } from '../../src/contract/activities.js';
import type { Policy } from '../../src/contract/run.js';
import type { DatabasePin } from '../../src/contract/verdict.js';
import { type BuiltFleetImage, buildImage, type LayerSpec } from '../../src/demo/fleet/image.js';
import { publishFleet } from '../../src/demo/fleet/publish.js';
import { WINDOWS_BASES_ALLOWED } from '../../src/demo/services/registry.js';
import { javaDb, vulnerabilityDb, writeCacheDir } from '../../src/demo/trivy-db.js';
import { SourceFetcher } from '../../src/mirror/fetch.js';
import { WorkerPrograms } from '../../src/programs/worker-programs.js';
import { RegistryClient } from '../../src/registry/client.js';
import { anonymous } from '../../src/registry/credentials.js';
import { digestOf } from '../../src/registry/digest.js';
import { formatReference } from '../../src/registry/reference.js';
import { type TrivyOptions, TrivyScanner } from '../../src/scanners/trivy.js';
import { DirectoryContentStore } from '../../src/store/content-directory.js';
import { FolderEvidenceStore } from '../../src/store/evidence-folder.js';
import { startRegistry } from '../support/registry-server.js';

export const UPDATED_AT = '2026-11-01T00:00:00.000Z';
export const POLICY: Policy = {
  failOn: 'CRITICAL',
  fixableOnly: true,
  action: 'block',
  notScannable: 'warn',
  maxDatabaseAgeHours: 48,
  exceptions: [],
};
/** The database that is in the cache directory of a {@link startWorld}. */
export const LOCAL: DatabasePin = { updatedAt: UPDATED_AT, digest: null, javaDigest: null };

/** What a scanner's arguments have for the layout that it reads, and for where it writes. */
export const LAYOUT = `\${layout}`;
export const OUTPUT = `\${output}`;

export interface TestContext extends StepContext {
  phases: string[];
}

export function stepContext(signal: AbortSignal = new AbortController().signal): TestContext {
  const phases: string[] = [];
  return { signal, phases, progress: ({ phase }) => void phases.push(phase) };
}

/** An image of two platforms out of nothing but these files. */
export const imageOf = (...layers: LayerSpec['entries'][]): BuiltFleetImage =>
  buildImage({
    kind: 'oci',
    layers: layers.map((entries) => ({ createdBy: 'test', entries })),
    config: {},
  });

/** A real registry, stores on disk and a cache directory with the small vulnerability database. */
export async function startWorld() {
  const registry = await startRegistry({ configuration: WINDOWS_BASES_ALLOWED });
  const directory = await mkdtemp(join(tmpdir(), 'image-factory-scanners-'));
  const client = new RegistryClient({ credentials: anonymous, insecureHosts: [registry.host] });
  const content = await DirectoryContentStore.open(join(directory, 'content'));
  const evidence = new FolderEvidenceStore(join(directory, 'evidence'));
  const cacheDir = join(directory, 'trivy');
  await writeCacheDir(cacheDir, [
    vulnerabilityDb({ updatedAt: UPDATED_AT }),
    javaDb({ updatedAt: UPDATED_AT }),
  ]);
  const options: TrivyOptions = {
    program: 'trivy',
    cacheDir,
    dbRepository: `${registry.host}/aquasec/trivy-db:2`,
    javaDbRepository: `${registry.host}/aquasec/trivy-java-db:1`,
    skipDbUpdate: true,
    skipJavaDbUpdate: true,
    offlineScan: true,
    insecureHosts: [registry.host],
    evidence,
    fetcher: new SourceFetcher(client, content),
    content,
    registry: client,
    programs: await WorkerPrograms.open({
      directory: join(directory, 'programs'),
      environment: loadEnvironment({
        PATH: process.env.PATH,
        TRIVY_CACHE_DIR: cacheDir,
        ALLOWED_STEP_ENV: 'TRIVY_CACHE_DIR',
      }),
      evidence,
    }),
  };
  let images = 0;
  return {
    host: registry.host,
    directory,
    cacheDir,
    client,
    content,
    evidence,
    scanner: (changes: Partial<TrivyOptions> = {}) => new TrivyScanner({ ...options, ...changes }),
    /** Publishes an image and returns the task to scan it. */
    async task(image: BuiltFleetImage, changes: Partial<ScanTask> = {}): Promise<ScanTask> {
      const repository = `test/image-${++images}`;
      await publishFleet(client, registry.host, [{ ...image, repository, tag: '1' }]);
      const reference = { host: registry.host, path: repository, tag: '1', digest: null };
      return {
        runId: 'run',
        image: `${repository}:1`,
        source: formatReference(reference),
        sourceDigest: image.top.descriptor.digest,
        target: formatReference({ ...reference, path: `copy/${repository}` }),
        platforms: [],
        policy: POLICY,
        policyDigest: digestOf(JSON.stringify(POLICY)),
        database: LOCAL,
        ...changes,
      };
    },
    async stop(): Promise<void> {
      await client.close();
      await registry.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export type World = Awaited<ReturnType<typeof startWorld>>;
