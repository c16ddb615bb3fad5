import { randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { createActivities } from '../../src/activities/index.js';
import { loadEnvironment } from '../../src/config/environment.js';
import { type FleetImage, sampleFleet } from '../../src/demo/fleet/fleet.js';
import { publishFleet, publishVulnerabilityDb } from '../../src/demo/fleet/publish.js';
import { startHarnessSimulator } from '../../src/demo/harness-simulator/index.js';
import { RegistryClient } from '../../src/registry/client.js';
import { anonymous } from '../../src/registry/credentials.js';
import { createDependencies } from '../../src/worker/create-dependencies.js';
import { temporaryDirectory } from '../support/directory.js';
import { startRegistry } from '../support/registry-server.js';
import { openTemporal } from '../support/temporal.js';

export const ACCOUNT = 'testAccount';

export interface FactoryOptions {
  /** Which images of the demo's fleet the account runs. */
  images?: (image: FleetImage) => boolean;
  overrides?: Record<string, string>;
  /** More of the worker's environment. */
  env?: Record<string, string>;
  /** The target asks for the test login. */
  htpasswd?: boolean;
  apiKey?: string;
  /** One of its own, for tests that run beside others: the account has one writer per Temporal server. */
  account?: string;
  /** No worker in this process: the test starts its own. */
  withoutWorker?: boolean;
}

/** A whole factory on real parts, for one test: registries, account, stores, and a worker in this process. */
export async function openFactory(options: FactoryOptions = {}) {
  const account = options.account ?? ACCOUNT;
  const apiKey = options.apiKey ?? `pat.${account}.token.${randomUUID()}`;
  const fleet = sampleFleet().filter(options.images ?? (() => true));
  const directory = await temporaryDirectory();
  const [source, target, temporal] = await Promise.all([
    startRegistry(),
    startRegistry({ htpasswd: options.htpasswd ?? false }),
    openTemporal(),
  ]);
  const harness = await startHarnessSimulator({
    account,
    apiKey,
    defaults: {
      K8: Object.fromEntries(
        fleet.flatMap((image) => image.fields.map((field) => [field, `${image.repository}:${image.tag}`])),
      ),
    },
    overrides: { K8: options.overrides ?? {} },
    connectors: [{ identifier: 'harnessImage', dockerRegistryUrl: `http://${target.host}` }],
  });
  const registry = new RegistryClient({ credentials: anonymous, insecureHosts: [] });
  await publishFleet(registry, source.host, fleet);
  const databases = await publishVulnerabilityDb(registry, source.host, {
    updatedAt: new Date().toISOString(),
  });
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: directory,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_TASK_QUEUE: temporal.taskQueue,
    SOURCE_REGISTRY: source.host,
    HARNESS_API_KEY: apiKey,
    HARNESS_URL: harness.url,
    REPORT_DIR: `${directory}/reports`,
    CONTENT_DIR: `${directory}/content`,
    TRIVY_CACHE_DIR: `${directory}/trivy`,
    TRIVY_DB_REPOSITORY: databases.dbRepository,
    TRIVY_JAVA_DB_REPOSITORY: databases.javaDbRepository,
    TEMPLATE_DIR: new URL('./templates', import.meta.url).pathname,
    ...options.env,
  };
  const { dependencies, close } = await createDependencies(loadEnvironment(env), temporal.client);
  if (!options.withoutWorker) {
    await temporal.startWorker({ activities: createActivities(dependencies) });
  }
  onTestFinished(async () => {
    await temporal.close();
    await Promise.all([close(), registry.close(), harness.stop(), source.stop(), target.stop()]);
  });
  const input = {
    registry: `${target.host}/ci`,
    registryConnector: 'account.harnessImage',
    modifyDefault: true,
    gatherScanTemplate: 'blocking',
  };
  return {
    ...{ source, target, temporal, harness, registry, fleet, env, directory, dependencies, input, apiKey },
    evidence: dependencies.evidence,
    /** Starts a workflow of ours on the factory's own task queue. */
    start: (type: string, task: unknown = input, workflowId = temporal.uniqueId(type)) =>
      temporal.client.workflow.start(type, { workflowId, taskQueue: temporal.taskQueue, args: [task] }),
  };
}

export type Factory = Awaited<ReturnType<typeof openFactory>>;

/** A few images are enough where it is not about the fleet. */
export const few = (image: FleetImage): boolean =>
  ['harness/ci-addon', 'harness/drone-git'].includes(image.repository);
