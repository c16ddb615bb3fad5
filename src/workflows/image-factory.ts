import { CancellationScope, isCancellation, workflowInfo } from '@temporalio/workflow';
import type { RunSummaryForReport } from '../contract/activities.js';
import type { RunInput } from '../contract/input.js';
import type { AccountOutcome, ReportRef, RunResult } from '../contract/outcome.js';
import { FAILING_OUTCOMES } from '../contract/outcome.js';
import type { PlanItem, PlanResult } from '../contract/plan.js';
import type { DiscoverySummary, RunConfig } from '../contract/run.js';
import type { DatabasePin } from '../contract/verdict.js';
import { updateAccount } from './account.js';
import { harness, scanning } from './activities.js';
import { needsWork } from './ends.js';
import { asEnd, type Failure, rootFailure } from './failure.js';
import { mirrorAll } from './mirror-all.js';
import { makePlan, planResult } from './plan.js';
import { recordAndReport } from './report.js';
import { RunState } from './run-state.js';

/**
 * A run: resolve → discover → plan → mirror each image → update the account → report.
 * It ends Failed, after its report, when an image or the account is not as it should be.
 */
export async function imageFactory(input: RunInput): Promise<RunResult | PlanResult> {
  const { firstExecutionRunId: runId, workflowId, startTime } = workflowInfo();
  const state = new RunState(runId);
  const run = new Run(state);
  const config = await run.resolve(input);
  let ended: RunSummaryForReport['ended'] = { kind: 'completed' };
  let cancellation: unknown;
  try {
    const plan = await run.plan(config);
    if (config.dryRun) {
      state.enter('done');
      return plan;
    }
    await run.mirror(config);
    await run.update(config);
  } catch (error) {
    if (isCancellation(error)) cancellation = error;
    ended = isCancellation(error) ? { kind: 'cancelled' } : { kind: 'failed', ...rootFailure(error) };
  }
  const report = await CancellationScope.nonCancellable(() =>
    recordAndReport(state, run.unfinished(), {
      runId,
      workflowId,
      startedAt: startTime.toISOString(),
      config,
      database: run.database,
      answeredBy: run.discovery?.answeredBy ?? null,
      accounts: run.accounts,
      ended,
    }),
  );
  state.enter('done');
  if (cancellation !== undefined) throw cancellation;
  const result = run.result(config, report);
  const failure = ended.kind === 'failed' ? ended : run.failure(report);
  if (failure) throw asEnd(failure, result);
  return result;
}

/** What a run finds out on its way, kept whatever stops it, since the report needs it. */
class Run {
  discovery: DiscoverySummary | null = null;
  database: DatabasePin | null = null;
  readonly accounts: AccountOutcome[] = [];
  #items: PlanItem[] = [];

  constructor(readonly state: RunState) {}

  async resolve(input: RunInput): Promise<RunConfig> {
    try {
      return await harness.resolveRun.executeWithOptions({ summary: 'input, environment, templates' }, [
        input,
      ]);
    } catch (error) {
      if (isCancellation(error)) throw error;
      throw asEnd(rootFailure(error));
    }
  }

  async plan(config: RunConfig): Promise<PlanResult> {
    this.state.enter('discover');
    const plan = await makePlan(this.state.runId, config, (discovery) => {
      this.discovery = discovery;
      this.state.discovered(discovery.images);
      this.state.enter('plan');
    });
    this.#items = plan.items;
    return planResult(this.state.runId, config, plan);
  }

  async mirror(config: RunConfig): Promise<void> {
    this.state.enter('mirror');
    if (config.scan && this.#items.some(needsWork)) {
      const maxAgeHours = config.gatherScan.policy.maxDatabaseAgeHours;
      this.database = await scanning.pinDatabase.executeWithOptions({ summary: 'vulnerability database' }, [
        { maxAgeHours },
      ]);
    }
    await mirrorAll(this.state, config, this.#items, this.database);
  }

  async update(config: RunConfig): Promise<void> {
    if (!config.modifyDefault) return;
    this.state.enter('update');
    await updateAccount(this.state.runId, config, this.state.records, this.accounts);
  }

  /** Planned images that never got an end. */
  unfinished(): PlanItem[] {
    const ended = new Set(this.state.records.map(({ item }) => item));
    return this.#items.filter((item) => !ended.has(item));
  }

  result(config: RunConfig, report: ReportRef): RunResult {
    return {
      kind: 'run',
      runId: this.state.runId,
      registry: config.registry,
      counts: this.state.counts(),
      accounts: this.accounts.map(({ infra, kind, reason }) => ({ infra, kind, reason })),
      report,
    };
  }

  /** Why the run is not a success, if it is none. */
  failure(report: ReportRef): Failure | null {
    const counts = this.state.counts();
    const bad = FAILING_OUTCOMES.filter((kind) => counts[kind] > 0);
    if (bad.length > 0) {
      const list = bad.map((kind) => `${counts[kind]} ${kind}`).join(', ');
      return {
        type: 'ImagesFailed',
        message: `${list} of ${this.state.records.length} images; report: ${report.html}`,
      };
    }
    const account = this.accounts.find(({ kind }) => kind === 'refused' || kind === 'failed');
    if (account) {
      return {
        type: 'HarnessNotUpdated',
        message: `${account.infra}: ${account.reason}; report: ${report.html}`,
      };
    }
    return null;
  }
}
