import { workflowInfo } from '@temporalio/workflow';
import type { EngineState } from '../contract/activities.js';
import type { DiscoverySummary, RunConfig } from '../contract/run.js';
import type { DatabasePin } from '../contract/verdict.js';
import { engineering, planning, scanning } from './activities.js';
import { needsBuild, needsWork } from './ends.js';
import { startItem } from './mirror-item.js';
import type { RunState } from './run-state.js';

/** Half of the 10,000 events that one execution may have (issue 6, scale): what is in work then still has to end. */
const MAX_EVENTS = 5_000;
/** Bytes of history, likewise. */
const MAX_HISTORY_BYTES = 5_000_000;

/** What the pages of a run have led to so far. */
export interface PageCursor {
  nextPage: number;
  database: DatabasePin | null;
  /** Absent until something is to be built by one. */
  engine?: EngineState;
}

/**
 * Plans page after page and keeps the images of each in work, until all pages are done or the history has grown so much
 * that the run should go on in a new execution. Either way everything that was started has ended.
 *
 * @returns whether pages are left.
 */
export async function mirrorPages(
  state: RunState,
  config: RunConfig,
  { pages }: DiscoverySummary,
  cursor: PageCursor,
): Promise<boolean> {
  const { steering } = state;
  try {
    while (cursor.nextPage < pages.length && !historyIsLong()) {
      const page = pages[cursor.nextPage] ?? '';
      const { items } = await planning.planPage.executeWithOptions(
        { summary: `page ${cursor.nextPage + 1} of ${pages.length}` },
        [{ runId: state.runId, config, page }],
      );
      if (config.scan && cursor.database === null && items.some(needsWork)) {
        const maxAgeHours = config.gatherScan.policy.maxDatabaseAgeHours;
        cursor.database = await scanning.pinDatabase.executeWithOptions(
          { summary: 'vulnerability database' },
          [{ maxAgeHours }],
        );
      }
      if (config.buildPush.buildkit && cursor.engine === undefined && items.some(needsBuild))
        cursor.engine = await engineering.checkEngine.executeWithOptions({ summary: 'Docker Engine' }, [
          { runId: state.runId },
        ]);
      cursor.nextPage++;
      for (const item of items) startItem(state, config, item, cursor.database);
      await steering.hasRoom();
    }
  } finally {
    await steering.drained();
  }
  return cursor.nextPage < pages.length;
}

function historyIsLong(): boolean {
  const { historyLength, historySize, continueAsNewSuggested } = workflowInfo();
  return continueAsNewSuggested || historyLength > MAX_EVENTS || historySize > MAX_HISTORY_BYTES;
}
