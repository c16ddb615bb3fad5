import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import type { Dependencies } from '../activities/dependencies.js';
import { Lanes } from '../common/lanes.js';
import { createAllowLists } from '../config/allow-lists.js';
import type { WorkerEnvironment } from '../config/environment.js';
import type { Reference } from '../contract/brand.js';
import { Daemon } from '../engines/buildkit/daemon.js';
import { BuildkitEngine } from '../engines/buildkit/engine.js';
import { ChosenEngine } from '../engines/engine.js';
import { RegistryEngine } from '../engines/registry.js';
import { BlobLocations } from '../mirror/blob-locations.js';
import { SourceFetcher } from '../mirror/fetch.js';
import { BLOBS_AT_ONCE } from '../mirror/push-blobs.js';
import { WorkerPrograms } from '../programs/worker-programs.js';
import { AlternateSources } from '../registry/alternates.js';
import type { RegistryClient } from '../registry/client.js';
import { Manners } from '../registry/manners.js';
import { splitReference } from '../registry/reference.js';
import { RunTraffic } from '../report/traffic.js';
import { TrivyScanner } from '../scanners/trivy.js';
import { DirectoryContentStore } from '../store/content-directory.js';
import { FileUploadSessions } from '../store/upload-sessions.js';
import { openEvidence } from './evidence.js';
import { harnessAccess } from './harness.js';
import { awaitHolder } from './holder.js';
import { registryAccess } from './registries.js';
import { trivySettings } from './scanner.js';

/** Puts a worker together: the one place where domains meet their settings. */
export async function createDependencies(
  environment: WorkerEnvironment,
  temporal: Client,
  {
    stopping = new AbortController().signal,
    ownQueue = async () => undefined,
  }: Partial<Pick<Dependencies, 'stopping' | 'ownQueue'>> = {},
): Promise<{ dependencies: Dependencies; close: () => Promise<void> }> {
  const allowLists = createAllowLists(environment);
  const { evidence, close: closeEvidence } = await openEvidence(environment);
  const content = await DirectoryContentStore.open(environment.contentDir, {
    maxBytes: environment.contentMaxBytes,
  });
  const registries = await registryAccess(environment);
  const harness = await harnessAccess(environment, allowLists);
  // One for all clients: a host that limits us limits the worker, not one run or image.
  const manners = new Manners();
  const sessions = await FileUploadSessions.open(environment.contentDir);
  const source = registries.source({ manners });
  const fetcher = new SourceFetcher(new AlternateSources(source, environment.sourceRegistries), content);
  const targets = new Map<string, RegistryClient>();
  const target = (reference: Reference): RegistryClient => {
    allowLists.assertTarget(reference);
    const { host } = splitReference(reference);
    const client = targets.get(host) ?? registries.target(host, { manners, sessions });
    targets.set(host, client);
    return client;
  };
  const programs = await WorkerPrograms.open({
    directory: join(environment.contentDir, 'programs'),
    environment,
    evidence,
  });
  const daemon = new Daemon(environment.docker);
  const buildkit = new BuildkitEngine({ daemon, fetcher, content, evidence });
  const dependencies: Dependencies = {
    environment,
    allowLists,
    evidence,
    traffic: new RunTraffic(evidence),
    content,
    source,
    target,
    fetcher,
    engine: new ChosenEngine({ registry: new RegistryEngine(fetcher, content), buildkit }),
    buildkit,
    scanner: new TrivyScanner({
      ...trivySettings(environment.trivy),
      credentials: registries.logins,
      insecureHosts: environment.insecureRegistries,
      extraCaFile: environment.extraCaFile,
      evidence,
      content,
      fetcher,
      registry: source,
      programs,
    }),
    programs,
    locations: new BlobLocations(),
    lanes: new Lanes(BLOBS_AT_ONCE),
    harness: (account) => harness.client(account),
    stopping,
    ownQueue,
    awaitHolder: (workflowId, how) => awaitHolder(temporal, workflowId, how),
  };
  const close = async (): Promise<void> => {
    await Promise.all([source, harness, ...targets.values()].map((client) => client.close()));
    await closeEvidence();
  };
  return { dependencies, close };
}
