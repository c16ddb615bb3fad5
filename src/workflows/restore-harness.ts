import { isCancellation } from '@temporalio/workflow';
import type { RestoreInput } from '../contract/input.js';
import type { AccountOutcome } from '../contract/outcome.js';
import { runWriter } from './account.js';
import { harness } from './activities.js';
import { asEnd, rootFailure } from './failure.js';

/** Puts the account's images back as they were before a run, through the same single writer that changes them. */
export async function restoreHarness(input: RestoreInput): Promise<AccountOutcome[]> {
  const outcomes: AccountOutcome[] = [];
  try {
    const { runId, infra: infras, harness: account } = await harness.resolveRestore(input);
    for (const infra of infras) {
      outcomes.push(await runWriter({ kind: 'restore', runId, harness: account, infra }));
    }
  } catch (error) {
    if (isCancellation(error)) throw error;
    throw asEnd(rootFailure(error));
  }
  const bad = outcomes.filter(({ kind }) => kind === 'failed' || kind === 'skipped');
  if (bad.length > 0) {
    const message = bad.map(({ infra, reason }) => `${infra}: ${reason}`).join('; ');
    throw asEnd({ type: 'HarnessNotUpdated', message }, outcomes);
  }
  return outcomes;
}
