import { CancellationScope, isCancellation, patched } from '@temporalio/workflow';
import type { AccountTask, AccountUpdateTask } from '../contract/activities.js';
import type { AccountOutcome } from '../contract/outcome.js';
import { checking, harness, readingBack } from './activities.js';
import { millisecondsUntil } from './deadline.js';
import { showOutcome } from './ends.js';
import { rootFailure } from './failure.js';

/** What the single writer of an account and infra is asked to do. */
export type WriterTask = ({ kind: 'update' } & AccountUpdateTask) | ({ kind: 'restore' } & AccountTask);

/** Faults of the account's set-up: nothing was touched, and the sentence says how to mend it. */
const REFUSALS = new Set(['ConnectorUnusable', 'PullPathMismatch', 'NotAllowed']);

/**
 * The single writer of one account and infra: its workflow id is the lock. Once the account is touched the rest runs to
 * its end even when the run is cancelled, so that what is reported is what the account shows.
 */
export async function updateHarness(task: WriterTask): Promise<AccountOutcome> {
  // Runs that began before this was added replay without it (docs/operating.md, "Releasing").
  const end = (value: string): void => {
    if (patched('update-harness-outcome')) showOutcome(value);
  };
  try {
    const outcome = await (task.kind === 'update' ? update(task) : restore(task));
    end(outcome.kind);
    return outcome;
  } catch (error) {
    end(isCancellation(error) ? 'cancelled' : 'failed');
    throw error;
  }
}

/** All attempts to set the fields, and all looks at them afterwards; an account that is down for minutes is waited for. */
const UPDATE_MS = 30 * 60_000;
const READ_BACK_MS = 5 * 60_000;
/** What either has in any case: a run that comes to its account late must not leave it half looked at. */
const LEAST_MS = 30_000;

/** Neither can be cancelled, so they end by the run's deadline by themselves: after it there has to be time for the report. */
const timeFor = (most: number, { deadlineAt }: AccountUpdateTask): number =>
  deadlineAt === undefined ? most : Math.min(most, Math.max(LEAST_MS, millisecondsUntil(deadlineAt)));

async function update(task: AccountUpdateTask): Promise<AccountOutcome> {
  const base = {
    infra: task.infra,
    account: task.harness.account,
    snapshotKey: null,
    updated: [],
    rejected: [],
  } satisfies Partial<AccountOutcome>;
  try {
    await checking.checkAccount.executeWithOptions({ summary: `connector ${task.connector}` }, [task]);
  } catch (error) {
    if (isCancellation(error)) throw error;
    const { type, message } = rootFailure(error);
    return { ...base, kind: REFUSALS.has(type) ? 'refused' : 'failed', reason: message };
  }
  // An activity of its own, before the update: a retried read-then-write would record our own values.
  const snapshot = await harness.snapshotAccount.executeWithOptions({ summary: 'overrides as they were' }, [
    task,
  ]);
  return CancellationScope.nonCancellable(async () => {
    let done: Omit<AccountOutcome, 'kind' | 'reason'> = { ...base, snapshotKey: snapshot.key };
    try {
      const { updated, rejected } = await harness.updateAccount.executeWithOptions(
        { summary: `set ${task.updates.length} fields`, scheduleToCloseTimeout: timeFor(UPDATE_MS, task) },
        [{ ...task, snapshotKey: snapshot.key }],
      );
      done = { ...done, updated, rejected };
      const fields = new Set(rejected.map(({ field }) => field));
      const accepted = task.updates.filter(({ field }) => !fields.has(field));
      await readingBack.readBackAccount.executeWithOptions(
        { summary: 'read back', scheduleToCloseTimeout: timeFor(READ_BACK_MS, task) },
        [{ ...task, updates: accepted }],
      );
      return { ...done, ...summary(updated.length, rejected.length) };
    } catch (error) {
      return { ...done, kind: 'failed', reason: rootFailure(error).message };
    }
  });
}

/** A field that Harness rejected is not as it was asked to be: the run must show it. */
function summary(updated: number, rejected: number): Pick<AccountOutcome, 'kind' | 'reason'> {
  const set =
    updated === 0
      ? 'every other field already has its value'
      : `${updated} field${updated === 1 ? '' : 's'} set and read back`;
  if (rejected > 0)
    return {
      kind: 'failed',
      reason: `Harness rejected ${rejected} field${rejected === 1 ? '' : 's'}; ${set}`,
    };
  if (updated === 0) return { kind: 'unchanged', reason: 'every field already has its value' };
  return { kind: 'updated', reason: set };
}

async function restore(task: AccountTask): Promise<AccountOutcome> {
  // Not while it writes may another one take the lock: it runs to its end, as an update does.
  const { restored, reset, leftAlone, rejected } = await CancellationScope.nonCancellable(() =>
    harness.restoreAccount(task),
  );
  const parts = [
    `${restored} fields put back, ${reset} reset to Harness's default`,
    ...(leftAlone.length === 0
      ? []
      : [`left alone, since they were changed after the run: ${leftAlone.join(', ')}`]),
    ...(rejected.length === 0
      ? []
      : [`Harness rejected: ${rejected.map(({ field, reason }) => `${field} (${reason})`).join(', ')}`]),
  ];
  return {
    infra: task.infra,
    account: task.harness.account,
    kind: rejected.length > 0 ? 'failed' : restored + reset === 0 ? 'unchanged' : 'updated',
    reason: parts.join('; '),
    snapshotKey: null,
    updated: [],
    rejected: rejected.map(({ field, reason }) => ({ field, value: '', reason })),
  };
}
