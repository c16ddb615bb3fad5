import type { TemporalClient } from './connection.js';

/** A worker polls at least once a minute (Temporal's long poll); older pollers are gone. */
const FRESH_MS = 70_000;

/** How many workers wait for work on the task queue. */
export async function countWorkers({ client, taskQueue }: TemporalClient): Promise<number> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: 1, // temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
  });
  const now = Date.now();
  return (pollers ?? []).filter(
    ({ lastAccessTime }) => now - Number(lastAccessTime?.seconds ?? 0) * 1000 < FRESH_MS,
  ).length;
}

/** What to say when nobody would do the work; undefined when somebody would. */
export async function missingWorkerHint(temporal: TemporalClient): Promise<string | undefined> {
  if ((await countWorkers(temporal)) > 0) return undefined;
  return `no worker polls the task queue ${temporal.taskQueue}: the run waits until one does (npm run worker)`;
}
