import { FactoryError } from '../common/errors.js';
import { inOrder } from '../common/in-order.js';
import type { AccountTask, AccountUpdateTask } from '../contract/activities.js';
import type { AccountOutcome, FieldUpdate } from '../contract/outcome.js';
import type { EvidenceStore } from '../store/evidence.js';
import {
  type Applied,
  appliedKey,
  appliedSchema,
  readRecord,
  type Snapshot,
  snapshotKey,
  snapshotSchema,
  toJson,
} from './account-records.js';
import { sendBatch } from './batch.js';
import type { HarnessClient } from './client.js';
import { assumeFollowed, type Followed, readFollowed, writeFollowed } from './followed.js';
import { targetOfValue } from './image-location.js';

export interface AccountPorts {
  client: HarnessClient;
  evidence: EvidenceStore;
  signal?: AbortSignal;
}

/** What these functions need of a task: the account itself is the client's. */
type OfInfra = Pick<AccountTask, 'runId' | 'infra'>;

/**
 * Records the overrides as they are, before anything is changed. Once per run and infra: a later attempt finds the first
 * record and leaves it, or it would record our own values as those from before.
 */
export async function snapshotAccount(
  { client, evidence, signal }: AccountPorts,
  { runId, infra }: OfInfra,
): Promise<{ key: string }> {
  const key = snapshotKey(runId, infra);
  const owner = { account: client.account, infra };
  if ((await readRecord(evidence, key, snapshotSchema, owner, signal)) !== undefined) return { key };
  const [overrides, defaults] = await inOrder([
    client.customerConfig(infra, { overridesOnly: true }, signal),
    client.defaultConfig(infra, signal),
  ]);
  const snapshot: Snapshot = {
    version: 1,
    runId,
    ...owner,
    takenAt: new Date().toISOString(),
    overrides: { ...overrides },
    defaults: { ...defaults },
  };
  await evidence.putOnce(key, toJson(snapshot), signal);
  return { key };
}

/**
 * Sets the fields that do not have their value yet, in one batch. The intent is on record before it is sent, so that a
 * crash in between can be undone, and so that a later run knows which versions came from Harness's defaults. `before`
 * comes from the snapshot: a retry reports the same.
 *
 * @throws FactoryError `SnapshotMissing` without a snapshot: nothing is changed that could not be put back.
 */
export async function updateAccount(
  { client, evidence, signal }: AccountPorts,
  task: OfInfra & Pick<AccountUpdateTask, 'updates' | 'registry'> & { snapshotKey: string },
): Promise<Pick<AccountOutcome, 'updated' | 'rejected'>> {
  const { runId, infra } = task;
  const owner = { account: client.account, infra };
  const snapshot = await readRecord(evidence, task.snapshotKey, snapshotSchema, owner, signal);
  if (snapshot === undefined) {
    throw new FactoryError(
      'SnapshotMissing',
      `There is no snapshot of the ${infra} fields of account ${owner.account} at ${evidence.locate(task.snapshotKey)}, so nothing was changed.`,
    );
  }
  const before = (field: string): string | null => snapshot.overrides[field] ?? null;
  const now = await client.customerConfig(infra, { overridesOnly: true }, signal);
  const pending = task.updates.filter(({ field, value }) => now[field] !== value);

  const followed =
    (await readFollowed(evidence, owner, signal)) ?? assumeFollowed(snapshot.overrides, task.registry);
  const follows = (field: string, value: string | null | undefined): boolean =>
    value != null && followed.get(field)?.includes(value) === true;
  /** A person's version, kept: the copy is of what they pinned. */
  const pinned = ({ field, target }: FieldUpdate): boolean => {
    const value = before(field);
    return value !== null && !follows(field, value) && targetOfValue(value, task.registry) === target;
  };
  /** The record with the updates; a field that `settled` does not have keeps the value that it may still show. */
  const following = (settled: (field: string) => boolean): Followed => {
    const next = new Map(followed);
    for (const update of task.updates) {
      const { field, value } = update;
      const shown = now[field];
      const kept = shown !== undefined && shown !== value && !settled(field) && follows(field, shown);
      next.set(field, pinned(update) ? [] : [...(kept ? [shown] : []), value]);
    }
    return next;
  };

  const key = appliedKey(runId, infra);
  const earlier = (await readRecord(evidence, key, appliedSchema, owner, signal))?.fields ?? [];
  const record = async (fields: Applied['fields']): Promise<void> => {
    await evidence.put(key, toJson({ version: 1, runId, ...owner, fields }), signal);
  };
  const intent = new Map(earlier.map((entry) => [entry.field, entry]));
  for (const { field, value } of pending) {
    const was = before(field);
    intent.set(field, { field, value, before: was, followed: follows(field, was) });
  }
  if (pending.length > 0) {
    await record([...intent.values()]);
    await writeFollowed(
      evidence,
      owner,
      following(() => false),
      signal,
    );
  }

  const refused = await sendBatch(pending, (batch) => client.updateConfig(infra, batch, signal));
  const rejected = refused.map(({ entry: { field, value }, reason }) => ({ field, value, reason }));
  const lost = new Set(rejected.map(({ field }) => field));
  if (lost.size > 0) await record([...intent.values()].filter(({ field }) => !lost.has(field)));
  await writeFollowed(
    evidence,
    owner,
    following((field) => !lost.has(field)),
    signal,
  );

  const updated = task.updates
    .map((update) => ({ ...update, before: before(update.field) }))
    .filter((update) => !lost.has(update.field) && update.before !== update.value);
  return { updated, rejected };
}

/**
 * Looks once whether the account shows every update, merged with the defaults as builds see it.
 *
 * @throws FactoryError `HarnessNotUpdated` naming the fields that do not; asking again may help.
 */
export async function readBackAccount(
  { client, signal }: Pick<AccountPorts, 'client' | 'signal'>,
  { infra, updates }: Pick<AccountTask, 'infra'> & { updates: readonly FieldUpdate[] },
): Promise<void> {
  const now = await client.customerConfig(infra, { overridesOnly: false }, signal);
  const missing = updates.filter(({ field, value }) => now[field] !== value).map(({ field }) => field);
  if (missing.length > 0) throw notShown(client, infra, missing);
}

export function notShown(client: HarnessClient, infra: string, fields: readonly string[]): FactoryError {
  const shown = fields.slice(0, 10).join(', ');
  const more = fields.length > 10 ? ` and ${fields.length - 10} more` : '';
  return new FactoryError(
    'HarnessNotUpdated',
    `Harness at ${client.host} does not show the new value of these ${infra} fields: ${shown}${more}; ` +
      'it may need longer, or someone else changed them.',
  );
}
