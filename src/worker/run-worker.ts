import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import {
  bundleWorkflowCode,
  DefaultLogger,
  NativeConnection,
  Runtime,
  Worker,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import { createActivities } from '../activities/index.js';
import { WorkerStops } from '../activities/step.js';
import { FactoryError, messageOf } from '../common/errors.js';
import { loadEnvironment } from '../config/environment.js';
import { ensureSearchAttributes } from '../temporal/search-attributes.js';
import { checkEngine } from './check-engine.js';
import { checkEvidence } from './check-evidence.js';
import { createDependencies } from './create-dependencies.js';
import { beatWhileHealthy } from './health.js';
import { log, temporalLogger } from './log.js';
import { OwnQueue } from './own-queue.js';

/** Runs a worker until SIGINT or SIGTERM; short steps end, long ones are handed back. */
export async function runWorker(env: NodeJS.ProcessEnv): Promise<void> {
  const environment = loadEnvironment(env);
  await checkEvidence(environment);
  await checkEngine(environment);
  Runtime.install({ logger: temporalLogger, shutdownSignals: ['SIGINT', 'SIGTERM'] });
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  const { connection, client } = await connect(connectionOptions, namespace);
  const { registered } = await ensureSearchAttributes(client.connection, namespace);
  if (registered.length > 0) log.info({ registered }, 'search attributes registered');
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stopping.abort(new WorkerStops()));
  let own: OwnQueue | undefined;
  const { dependencies, close } = await createDependencies(environment, client, {
    stopping: stopping.signal,
    ownQueue: async () => own?.name(),
  });
  try {
    const common = {
      connection,
      namespace,
      activities: createActivities(dependencies),
      // With the default (up to 60 s) progress, prompt cancellation and quick recovery are gone (measured; design).
      maxHeartbeatThrottleInterval: '2s',
      // The default is 0: every activity would be cut off in the middle.
      shutdownGraceTime: '20s',
      shutdownForceTime: '60s',
    };
    own = new OwnQueue(environment.taskQueue, (taskQueue) => Worker.create({ ...common, taskQueue }));
    const worker = await Worker.create({
      ...common,
      taskQueue: environment.taskQueue,
      workflowBundle: await workflowBundle(),
    });
    const { taskQueue, s3, reportDir, healthFile } = environment;
    log.info(
      { taskQueue, reports: s3 === null ? reportDir : `s3://${s3.bucket}/${s3.prefix}` },
      'worker is ready',
    );
    const endHealth = healthFile === null ? undefined : beatWhileHealthy(healthFile, worker, client);
    await worker.run().finally(endHealth);
    await own.ended();
  } finally {
    await close();
    await client.connection.close();
    await connection.close();
  }
}

async function connect(
  options: ReturnType<typeof loadClientConnectConfig>['connectionOptions'],
  namespace: string,
) {
  const address = options.address ?? 'localhost:7233';
  try {
    const connection = await NativeConnection.connect(options);
    const client = new Client({ connection: await Connection.connect(options), namespace });
    return { connection, client };
  } catch (error) {
    throw new FactoryError(
      'TemporalUnavailable',
      `no Temporal server answers at ${address}: ${messageOf(error)}. Set TEMPORAL_ADDRESS`,
      { cause: error },
    );
  }
}

/** The bundle that `npm run build` made, so that production compiles nothing; from sources, one made now. */
async function workflowBundle(): Promise<WorkflowBundleOption> {
  const codePath = fileURLToPath(new URL('../workflow-bundle.js', import.meta.url));
  if (existsSync(codePath)) return { codePath };
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL(`../workflows/index.${extension}`, import.meta.url)),
    logger: new DefaultLogger('WARN'),
  });
}
