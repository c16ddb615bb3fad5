import { FactoryError } from '../common/errors.js';
import type { AccountTask } from '../contract/activities.js';
import { type AccountPorts, notShown } from './account.js';
import { appliedKey, appliedSchema, readRecord, snapshotKey, snapshotSchema } from './account-records.js';
import { sendBatch } from './batch.js';
import { readFollowed, writeFollowed } from './followed.js';

export interface Restored {
  /** Fields that have their override from before the run again. */
  restored: number;
  /** Fields that have no override again. */
  reset: number;
  /** Fields that hold neither what the run set nor what was before: someone changed them since. */
  leftAlone: string[];
  /** Fields that still hold what the run set, since Harness refused to put them back. */
  rejected: { field: string; reason: string }[];
}

/**
 * Undoes what a run set, and only that. A field that someone changed after the run is left alone. The counts describe the
 * end state, so a second attempt gives the same answer.
 *
 * @throws FactoryError `SnapshotMissing` when the run left no record for this infra; `HarnessNotUpdated` (retryable)
 *   while the account does not show the result.
 */
export async function restoreAccount(
  { client, evidence, signal }: AccountPorts,
  { runId, infra }: Pick<AccountTask, 'runId' | 'infra'>,
): Promise<Restored> {
  const owner = { account: client.account, infra };
  const snapshot = await readRecord(evidence, snapshotKey(runId, infra), snapshotSchema, owner, signal);
  if (snapshot === undefined) {
    throw new FactoryError(
      'SnapshotMissing',
      `Run ${runId} left no snapshot of the ${infra} fields (${evidence.locate(snapshotKey(runId, infra))}): it changed nothing there, or the run id or the evidence store is another.`,
    );
  }
  const applied = await readRecord(evidence, appliedKey(runId, infra), appliedSchema, owner, signal);
  // The snapshot is the truth about before; the record only says which fields are ours, and what we set them to.
  const ours = (applied?.fields ?? []).map(({ field, value, followed }) => ({
    field,
    followed,
    set: value,
    before: snapshot.overrides[field],
  }));
  if (ours.length === 0) return { restored: 0, reset: 0, leftAlone: [], rejected: [] };

  const now = await client.customerConfig(infra, { overridesOnly: true }, signal);
  const held = ours.filter(({ field, set, before }) => now[field] === set && set !== before);
  const followed = await readFollowed(evidence, owner, signal);
  // What is put back was a default once, and shall not be taken for a pin from now on.
  const again = held.flatMap(({ field, set, before, followed: was }) =>
    was && before !== undefined ? [[field, [set, before]] as const] : [],
  );
  if (followed !== undefined && again.length > 0)
    await writeFollowed(evidence, owner, new Map([...followed, ...again]), signal);

  const refused = [
    ...(await sendBatch(
      held.flatMap(({ field, before }) => (before === undefined ? [] : [{ field, value: before }])),
      (batch) => client.updateConfig(infra, batch, signal),
    )),
    ...(await sendBatch(
      held.flatMap(({ field, before }) => (before === undefined ? [{ field }] : [])),
      (batch) => client.resetConfig(infra, batch, signal),
    )),
  ].map(({ entry, reason }) => ({ field: entry.field, reason }));

  const after = held.length === 0 ? now : await client.customerConfig(infra, { overridesOnly: true }, signal);
  const away = ours.filter(({ field, before }) => after[field] !== before).map(({ field }) => field);
  const rejected = refused.filter(({ field }) => away.includes(field));
  const lost = new Set(rejected.map(({ field }) => field));
  const behind = held.map(({ field }) => field).filter((field) => away.includes(field) && !lost.has(field));
  if (behind.length > 0) throw notShown(client, infra, behind);
  const back = ours.filter(({ field }) => !away.includes(field));
  return {
    restored: back.filter(({ before }) => before !== undefined).length,
    reset: back.filter(({ before }) => before === undefined).length,
    leftAlone: away.filter((field) => !lost.has(field)),
    rejected,
  };
}
