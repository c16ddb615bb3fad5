import { isCancellation } from '@temporalio/workflow';
import type { GoodField } from '../contract/continuation.js';
import { fieldValue } from '../contract/field-value.js';
import { updateHarnessId } from '../contract/names.js';
import type { AccountOutcome, FieldUpdate } from '../contract/outcome.js';
import type { HarnessTarget, Infra, RunConfig } from '../contract/run.js';
import { rootFailure } from './failure.js';
import { runSingleWriter } from './single-writer.js';
import { updateHarness, type WriterTask } from './update-harness.js';

/**
 * Sets the account's fields to the images that this run verified or found identical, infra by infra.
 * An image that is blocked, failed, skipped or unresolved keeps its field as it is. What happened is added to `outcomes`
 * as it does, so that a cancellation in between loses nothing.
 */
export async function updateAccount(
  runId: string,
  config: RunConfig,
  deadlineAt: string,
  good: readonly GoodField[],
  outcomes: AccountOutcome[],
): Promise<void> {
  for (const [index, infra] of config.infra.entries()) {
    const updates = updatesFor(infra, config, good);
    if (updates.length === 0 || config.registryConnector === null) {
      outcomes.push(outcomeOf(config.harness, infra, 'skipped', 'no verified image belongs to a field'));
      continue;
    }
    try {
      outcomes.push(
        await runWriter({
          kind: 'update',
          runId,
          harness: config.harness,
          infra,
          registry: config.registry,
          connector: config.registryConnector,
          valueStyle: config.valueStyle,
          updates,
          deadlineAt,
        }),
      );
    } catch (error) {
      // Cancelled, or out of time. A writer that had begun to change the account would have ended with its outcome.
      for (const left of config.infra.slice(index))
        outcomes.push(
          outcomeOf(config.harness, left, 'skipped', 'the run ended before anything was changed'),
        );
      throw error;
    }
  }
}

/**
 * Hands a task to the account's single writer. Another run's update takes seconds, so its end is waited for. Failures
 * come back as an outcome; only a cancellation is thrown.
 */
export async function runWriter(task: WriterTask): Promise<AccountOutcome> {
  const { harness, infra } = task;
  try {
    const run = await runSingleWriter(updateHarness, {
      workflowId: updateHarnessId(harness.account, infra),
      args: [task],
      staticSummary: `${task.kind} ${infra} images of account ${harness.account}`,
      patient: true,
    });
    if (run.kind === 'done') return run.result;
    return outcomeOf(harness, infra, 'skipped', `in progress elsewhere: ${run.holder} has it`);
  } catch (error) {
    if (isCancellation(error)) throw error;
    return outcomeOf(harness, infra, 'failed', rootFailure(error).message);
  }
}

const updatesFor = (infra: Infra, config: RunConfig, good: readonly GoodField[]): FieldUpdate[] =>
  good
    .filter((field) => field.infra === infra)
    .map(({ field, target, digest }) => ({
      field,
      value: fieldValue(target, config.registry, config.valueStyle),
      target,
      ...(digest === undefined ? {} : { digest }),
    }));

const outcomeOf = (
  harness: HarnessTarget,
  infra: Infra,
  kind: AccountOutcome['kind'],
  reason: string,
): AccountOutcome => ({
  infra,
  account: harness.account,
  kind,
  reason,
  snapshotKey: null,
  updated: [],
  rejected: [],
});
