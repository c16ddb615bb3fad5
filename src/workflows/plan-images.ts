import { isCancellation, workflowInfo } from '@temporalio/workflow';
import type { RunInput } from '../contract/input.js';
import type { PlanResult } from '../contract/plan.js';
import { harness } from './activities.js';
import { asEnd, rootFailure } from './failure.js';
import { makePlan, planResult } from './plan.js';

/** A dry run under an id of its own: what a run would do now. Changes nothing, and needs only rights to read. */
export async function planImages(input: RunInput): Promise<PlanResult> {
  const runId = workflowInfo().firstExecutionRunId;
  try {
    const config = await harness.resolveRun({ ...input, dryRun: true });
    return planResult(runId, config, await makePlan(runId, config));
  } catch (error) {
    if (isCancellation(error)) throw error;
    throw asEnd(rootFailure(error));
  }
}
