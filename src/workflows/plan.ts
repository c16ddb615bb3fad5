import { CancellationScope } from '@temporalio/workflow';
import type { PlanItem, PlanResult, PlanState } from '../contract/plan.js';
import { PLAN_ITEMS_SHOWN } from '../contract/plan.js';
import type { DiscoverySummary, RunConfig } from '../contract/run.js';
import { harness, planning } from './activities.js';

export interface Plan {
  discovery: DiscoverySummary;
  items: PlanItem[];
  /** Evidence keys of the plan's pages. */
  pages: string[];
}

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
  return { discovery, items, pages };
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
  };
}
