import { loadClientConnectConfig } from '@temporalio/envconfig';
import { connectTemporal } from '../cli/connection.js';
import { countWorkers } from '../cli/workers.js';
import { messageOf } from '../common/errors.js';
import { type Finding, fail, ok, warn } from './finding.js';

/** Whether Temporal answers, has the namespace, and somebody would do a run's work. */
export async function checkTemporal(env: NodeJS.ProcessEnv): Promise<Finding> {
  const address = loadClientConnectConfig().connectionOptions.address ?? 'localhost:7233';
  let temporal: Awaited<ReturnType<typeof connectTemporal>>;
  try {
    temporal = await connectTemporal(env);
  } catch (error) {
    return fail(
      messageOf(error).replace(/\. Set TEMPORAL_ADDRESS.*$/s, ''),
      'set TEMPORAL_ADDRESS, or start a server: temporal server start-dev',
    );
  }
  const { client, taskQueue } = temporal;
  const { namespace } = client.options;
  try {
    await client.workflowService.describeNamespace({ namespace });
    const workers = await countWorkers(temporal);
    const place = `${address} answers, namespace ${namespace}`;
    if (workers > 0)
      return ok(`${place}; ${workers} ${workers === 1 ? 'worker polls' : 'workers poll'} ${taskQueue}`);
    return warn(
      `${place}, but no worker polls the task queue ${taskQueue}`,
      'start one (npm run worker), or set TEMPORAL_TASK_QUEUE to that of your workers',
    );
  } catch (error) {
    return fail(
      `${address} answers, but its namespace ${namespace} can't be used: ${messageOf(error)}`,
      'set TEMPORAL_NAMESPACE to one that exists and that this client may use',
    );
  } finally {
    await temporal.close();
  }
}
