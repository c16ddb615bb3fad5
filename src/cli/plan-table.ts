import { imageCount } from '../common/count.js';
import type { PlanItem, PlannedEngine, PlanResult } from '../contract/plan.js';
import { type Colour, hanging, type Terminal, table } from './terminal.js';

const STATE: Record<PlanItem['state'], { word: string; colour: Colour }> = {
  create: { word: 'create', colour: 'green' },
  update: { word: 'update', colour: 'yellow' },
  unchanged: { word: 'unchanged', colour: 'dim' },
  'needs-scan': { word: 'unchanged, needs a scan', colour: 'yellow' },
  unresolved: { word: 'unresolved', colour: 'red' },
};

/** Why an image is in its state, and whether the last scan let it pass. */
function whyOf(item: PlanItem): string {
  if (item.state === 'unresolved') return item.reason;
  const why = item.drift === null ? item.reason : `drift: ${item.reason}`;
  return item.lastVerdict?.decision === 'block' ? `${why}; blocked last time: ${item.lastVerdict.rule}` : why;
}

/** A plan as a table for people. */
export function printPlan(plan: PlanResult, terminal: Terminal): void {
  const rows = plan.items.map((item) => [
    item.image,
    terminal.paint(STATE[item.state].colour, STATE[item.state].word),
    String(item.fields.length),
    whyOf(item),
  ]);
  const heads = ['image', 'state', 'fields', 'why'].map((head) => terminal.paint('bold', head));
  for (const line of table([heads, ...rows], terminal.columns)) terminal.line(line);
  const total = Object.values(plan.counts).reduce((sum, count) => sum + count, 0);
  if (plan.items.length < total)
    terminal.line(`… and ${total - plan.items.length} more; all pages are in the evidence store`);
  terminal.line();
  if (plan.engine !== undefined)
    for (const line of hanging('build: ', engineLine(plan.engine), terminal.columns)) terminal.line(line);
  terminal.line(
    `${imageCount(total)} for ${plan.registry}: ${countsLine(plan.counts)}. Nothing was changed.`,
  );
}

const OTHERS: Record<PlannedEngine['onUnbuildablePlatform'], string> = {
  fail: 'an image with a platform that it can’t build fails',
  copy: 'other platforms are copied with labels only',
  skip: 'other platforms are left out',
};

/** Who would build, for which platforms, and what the template chose for the others. */
function engineLine(engine: PlannedEngine): string {
  const others = OTHERS[engine.onUnbuildablePlatform];
  if (engine.state === null) return `no Docker Engine can be used now: ${engine.fault}`;
  return `Docker Engine ${engine.state.version} for ${engine.state.platforms.join(', ')}; ${others}`;
}

const countsLine = (counts: PlanResult['counts']): string =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${STATE[state as PlanItem['state']].word}`) // keys of a Record<PlanState>
    .join(', ') || 'none';
