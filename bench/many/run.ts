import { readFile } from 'node:fs/promises';
import type { Client, WorkflowHandle } from '@temporalio/client';
import type { RunInput } from '../../src/contract/input.js';
import { WORKFLOW } from '../../src/contract/names.js';
import type { RunResult } from '../../src/contract/outcome.js';
import { reportSchema } from '../../src/report/schema.js';

/** What one run cost and showed. */
export interface RunFigures {
  seconds: number;
  /** Of these the report's own activity, all attempts. */
  reportSeconds: number;
  /** Executions of the run, and the most events and bytes of history that one of them had. */
  executions: number;
  events: number;
  bytes: number;
  /** Images in the report. */
  reported: number;
  /** Those of them with a verdict; null for a run that did not scan. */
  scanned: number | null;
}

/** One run from start to end, on a worker that is running already. */
export async function measureRun(client: Client, taskQueue: string, input: RunInput): Promise<RunFigures> {
  const began = performance.now();
  const workflowId = 'bench';
  const handle = await client.workflow.start(WORKFLOW.imageFactory, {
    workflowId,
    taskQueue,
    args: [input],
  });
  const result: RunResult = await handle.result();
  const seconds = (performance.now() - began) / 1000;
  const figures = { executions: 0, events: 0, bytes: 0, reportSeconds: 0 };
  for await (const { runId } of client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
    const execution = client.workflow.getHandle(workflowId, runId);
    const info = (await execution.describe()).raw.workflowExecutionInfo;
    if (info?.firstRunId !== result.runId) continue;
    figures.executions++;
    figures.events = Math.max(figures.events, Number(info.historyLength));
    figures.bytes = Math.max(figures.bytes, Number(info.historySizeBytes));
    figures.reportSeconds ||= await secondsOf('writeReport', execution);
  }
  const { images } = reportSchema.parse(JSON.parse(await readFile(result.report?.json ?? '', 'utf8')));
  const scanned = input.scan === false ? null : images.filter(({ verdict }) => verdict !== null).length;
  return { seconds, ...figures, reported: images.length, scanned };
}

/** How long an activity took in one execution, from being scheduled to its end; 0 when it is not in it. */
async function secondsOf(activity: string, execution: WorkflowHandle): Promise<number> {
  const { events } = await execution.fetchHistory();
  const scheduled = events?.find(
    (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === activity,
  );
  const ended = events?.find(
    (event) =>
      scheduled !== undefined &&
      String(event.activityTaskCompletedEventAttributes?.scheduledEventId) === String(scheduled.eventId),
  );
  const at = (event: typeof ended): number =>
    Number(event?.eventTime?.seconds ?? 0) + (event?.eventTime?.nanos ?? 0) / 1e9;
  return ended === undefined ? 0 : at(ended) - at(scheduled);
}
