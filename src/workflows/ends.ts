import { upsertSearchAttributes } from '@temporalio/workflow';
import type { RunSummaryForReport } from '../contract/activities.js';
import type { ImageOutcome } from '../contract/outcome.js';
import type { PlanItem, ResolvedItem, UnresolvedItem } from '../contract/plan.js';
import { FACTORY_OUTCOME } from '../contract/search-attributes.js';

/** Whether anything has to be done for an item at all. */
export const needsWork = (item: PlanItem): item is ResolvedItem =>
  item.state !== 'unchanged' && item.state !== 'unresolved';

/** Whether an engine has to make anything for it. */
export const needsBuild = ({ state }: PlanItem): boolean => state === 'create' || state === 'update';

/** The end of an item that the plan itself settles. */
export const endWithoutWork = (item: ResolvedItem | UnresolvedItem): ImageOutcome =>
  item.state === 'unresolved' ? { kind: 'unresolved', reason: item.reason } : { kind: 'unchanged' };

/** The end of an item that the run never came to. */
export const unfinishedEnd = (ended: RunSummaryForReport['ended']): ImageOutcome =>
  ended.kind === 'failed'
    ? { kind: 'failed', step: null, type: ended.type, message: `not started: ${ended.message}` }
    : { kind: 'cancelled' };

/** Shows how a workflow ended, for lists of workflows. */
export const showOutcome = (value: string): void => upsertSearchAttributes([{ key: FACTORY_OUTCOME, value }]);
