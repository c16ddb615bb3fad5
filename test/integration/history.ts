import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { promisify } from 'node:util';
import type { WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { expect, inject } from 'vitest';

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;

/** Every payload anywhere in a history: inputs, results, heartbeats, failures, summaries. */
export function payloadsOf(history: History): Payload[] {
  const found: Payload[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return;
    if ('data' in value && 'metadata' in value) found.push(value as Payload); // the shape of temporal.api.common.v1.Payload
    for (const member of Object.values(value)) visit(member);
  };
  visit(history.events);
  return found;
}

/** All that a history says, as text: decoded payloads and everything around them. */
export function textOf(history: History): string {
  const decoded = payloadsOf(history).map((payload) => {
    try {
      return JSON.stringify(defaultPayloadConverter.fromPayload(payload)) ?? '';
    } catch {
      return Buffer.from(payload.data ?? []).toString('utf8');
    }
  });
  return [...decoded, JSON.stringify(history.events)].join('\n');
}

/** The attempt that each started activity was in, by activity type. */
export function attempts(history: History): Map<string, number> {
  const types = new Map<string, string>();
  const highest = new Map<string, number>();
  for (const event of history.events ?? []) {
    const scheduled = event.activityTaskScheduledEventAttributes;
    if (scheduled) types.set(String(event.eventId), scheduled.activityType?.name ?? '');
    const started = event.activityTaskStartedEventAttributes;
    const type = types.get(String(started?.scheduledEventId));
    if (started && type !== undefined)
      highest.set(type, Math.max(highest.get(type) ?? 0, started.attempt ?? 0));
  }
  return highest;
}

/** A history that an earlier commit made is kept as it is: that is what it is for. */
function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

/**
 * Keeps a history for the replay tests when `RECORD_HISTORIES` is set: `RECORD_HISTORIES=1 npm test`. What names the
 * machine that it was made on is taken out. One that is there already stays.
 *
 * @param where.runId an earlier execution than the newest one under the workflow's id
 */
export async function record(
  name: string,
  { workflowId }: WorkflowHandle,
  { address = inject('temporalAddress'), runId }: { address?: string; runId?: string } = {},
): Promise<void> {
  if (!process.env.RECORD_HISTORIES) return;
  // The Temporal CLI's form is what people export, and the SDK replays it.
  const args = ['workflow', 'show', '--output', 'json', '--address', address];
  if (runId !== undefined) args.push('--run-id', runId);
  const { stdout } = await promisify(execFile)('temporal', [...args, '--workflow-id', workflowId], {
    maxBuffer: 1 << 26,
  });
  const text = stdout
    .replaceAll(/"identity": "[^"]*"/g, '"identity": "worker"')
    .replaceAll(/"stackTrace": "(?:[^"\\]|\\.)*"/g, '"stackTrace": ""')
    .replaceAll(hostname(), 'host');
  await writeFile(new URL(`../histories/${name}.json`, import.meta.url), text, { flag: 'wx' }).catch(
    ignoreExisting,
  );
}

/** Everything that a listing yields. */
export async function all<T>(listing: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of listing) items.push(item);
  return items;
}

/** The children that an execution has started, in that order. */
export async function childrenOf(
  handle: Pick<WorkflowHandle, 'fetchHistory'>,
): Promise<{ workflowId: string; runId: string }[]> {
  const { events } = await handle.fetchHistory();
  return (events ?? []).flatMap(({ childWorkflowExecutionStartedEventAttributes: started }) => {
    const { workflowId, runId } = started?.workflowExecution ?? {};
    return workflowId && runId ? [{ workflowId, runId }] : [];
  });
}

/** Waits until an execution has been asked to end. */
export async function asked(handle: Pick<WorkflowHandle, 'fetchHistory'>): Promise<void> {
  const requests = async (): Promise<number> =>
    ((await handle.fetchHistory()).events ?? []).filter(
      ({ workflowExecutionCancelRequestedEventAttributes: request }) => request != null,
    ).length;
  await expect.poll(requests).toBeGreaterThan(0);
}
