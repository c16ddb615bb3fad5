import { CancellationScope, isCancellation, patched } from '@temporalio/workflow';
import type { AccountTask, AccountUpdateTask } from '../contract/activities.js';
import type { AccountOutcome, FieldUpdate, RejectedField } from '../contract/outcome.js';
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
  let unfit: RejectedField[] = [];
  try {
    const checked = await checking.checkAccount.executeWithOptions(
      { summary: `connector ${task.connector}` },
      [task],
    );
    unfit = checked?.unfit ?? [];
  } catch (error) {
    if (isCancellation(error)) throw error;
    const { type, message } = rootFailure(error);
    return { ...base, kind: REFUSALS.has(type) ? 'refused' : 'failed', reason: message };
  }
  const updates = without(task.updates, unfit);
  if (updates.length === 0) return { ...base, rejected: unfit, ...summary(0, unfit.length) };
  // An activity of its own, before the update: a retried read-then-write would record our own values.
  const snapshot = await harness.snapshotAccount.executeWithOptions({ summary: 'overrides as they were' }, [
    task,
  ]);
  return CancellationScope.nonCancellable(async () => {
    let done: Omit<AccountOutcome, 'kind' | 'reason'> = { ...base, snapshotKey: snapshot.key };
    try {
      const { updated, rejected } = await harness.updateAccount.executeWithOptions(
        { summary: `set ${updates.length} fields`, scheduleToCloseTimeout: timeFor(UPDATE_MS, task) },
        [{ ...task, updates, snapshotKey: snapshot.key }],
      );
      done = { ...done, updated, rejected: [...unfit, ...rejected] };
      await readingBack.readBackAccount.executeWithOptions(
        { summary: 'read back', scheduleToCloseTimeout: timeFor(READ_BACK_MS, task) },
        [{ ...task, updates: without(updates, rejected) }],
      );
      return { ...done, ...summary(updated.length, unfit.length, rejected.length) };
    } catch (error) {
      return { ...done, kind: 'failed', reason: rootFailure(error).message };
    }
  });
}

const without = (updates: readonly FieldUpdate[], rejected: readonly RejectedField[]): FieldUpdate[] => {
  const fields = new Set(rejected.map(({ field }) => field));
  return updates.filter(({ field }) => !fields.has(field));
};

const fields = (count: number): string => `${count} field${count === 1 ? '' : 's'}`;

/** A field that is not as it was asked to be: the run must show it. */
function summary(updated: number, unfit: number, rejected = 0): Pick<AccountOutcome, 'kind' | 'reason'> {
  const set =
    updated > 0 ? `${fields(updated)} set and read back` : 'every other field already has its value';
  const faults = [
    ...(unfit > 0
      ? [
          `${fields(unfit)} left as they were, since the registry no longer holds their images whole: run again`,
        ]
      : []),
    ...(rejected > 0 ? [`Harness rejected ${fields(rejected)}`] : []),
  ];
  if (faults.length > 0) return { kind: 'failed', reason: [...faults, set].join('; ') };
  if (updated === 0) return { kind: 'unchanged', reason: 'every field already has its value' };
  return { kind: 'updated', reason: set };
}

async function restore(task: AccountTask): Promise<AccountOutcome> {
  // Not while it writes may another one take the lock: it runs to its end, as an update does.
  const { restored, reset, leftAlone, rejected } = await CancellationScope.nonCancellable(() =>
    harness.restoreAccount(task),
  );
  const parts = [
    `${fields(restored)} put back, ${reset} reset to Harness's default`,
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
