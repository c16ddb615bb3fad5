import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { PlanItem, PlannedEngine, PlanResult, PlanState } from '../contract/plan.js';
import { PLAN_ITEMS_SHOWN } from '../contract/plan.js';
import type { DiscoverySummary, RunConfig } from '../contract/run.js';
import { engineering, harness, planning } from './activities.js';
import { rootFailure } from './failure.js';

export interface Plan {
  discovery: DiscoverySummary;
  items: PlanItem[];
  /** Evidence keys of the plan's pages. */
  pages: string[];
  engine: PlannedEngine | null;
}

/** Whoever asks for a plan waits for it. */
const ENGINE_ANSWERS_WITHIN = '1m';

/** Pages asked at once: each already asks its images' registries in parallel. */
const PAGES_AT_ONCE = 2;

/** What the account runs, and what the registry needs for it. Reads only. */
export async function makePlan(
  runId: string,
  config: RunConfig,
  onDiscovered: (discovery: DiscoverySummary) => void = () => {},
): Promise<Plan> {
  const discovery = await harness.discoverImages.executeWithOptions({ summary: 'ask Harness' }, [
    { runId, config },
  ]);
  onDiscovered(discovery);
  const items: PlanItem[] = [];
  const pages: string[] = [];
  for (let at = 0; at < discovery.pages.length; at += PAGES_AT_ONCE) {
    const batch = discovery.pages.slice(at, at + PAGES_AT_ONCE);
    const planned = await CancellationScope.cancellable(() =>
      Promise.all(
        batch.map((page, n) =>
          planning.planPage.executeWithOptions(
            { summary: `page ${at + n + 1} of ${discovery.pages.length}` },
            [{ runId, config, page }],
          ),
        ),
      ),
    );
    for (const page of planned) {
      pages.push(page.key);
      items.push(...page.items);
    }
  }
  return { discovery, items, pages, engine: await plannedEngine(runId, config) };
}

/** A plan is worth having without an engine, too. */
async function plannedEngine(runId: string, { buildPush }: RunConfig): Promise<PlannedEngine | null> {
  if (buildPush.buildkit === undefined) return null;
  const { onUnbuildablePlatform } = buildPush.buildkit;
  try {
    const limit = { summary: 'Docker Engine', scheduleToCloseTimeout: ENGINE_ANSWERS_WITHIN } as const;
    const state = await engineering.checkEngine.executeWithOptions(limit, [{ runId }]);
    return { onUnbuildablePlatform, state };
  } catch (error) {
    if (isCancellation(error)) throw error;
    return { onUnbuildablePlatform, state: null, fault: rootFailure(error).message };
  }
}

/** The plan as a workflow's result. */
export function planResult(runId: string, config: RunConfig, plan: Plan): PlanResult {
  const counts: Record<PlanState, number> = {
    create: 0,
    update: 0,
    unchanged: 0,
    'needs-scan': 0,
    unresolved: 0,
  };
  for (const item of plan.items) counts[item.state]++;
  return {
    kind: 'plan',
    runId,
    registry: config.registry,
    items: plan.items.slice(0, PLAN_ITEMS_SHOWN),
    pages: plan.pages,
    counts,
    ...(plan.engine === null ? {} : { engine: plan.engine }),
  };
}
