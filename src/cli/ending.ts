import { AFTER_BLOCK } from '../contract/note.js';
import { FAILING_OUTCOMES, type ImageEnd, type ReportRef, type RunResult } from '../contract/outcome.js';
import { restoreWords } from '../contract/undo.js';
import { LOOK } from './look.js';
import { self } from './self.js';
import { hanging, type Terminal, table } from './terminal.js';

/** Fields of an account whose update went wrong may have been set all the same. */
const TOUCHED = ['updated', 'failed'];

/**
 * How a run ended, for people: counts, images that need them and what to do, what changed, the account and how to undo
 * that, and the report.
 *
 * @param told images that need a person have just been listed: they are not named again
 */
export function printRun(result: RunResult, terminal: Terminal, { told = false } = {}): void {
  const say = (start: string, text: string): void => {
    for (const line of hanging(start, text, terminal.columns)) terminal.line(line);
  };
  const counts = Object.entries(result.counts).filter(([, count]) => count > 0);
  terminal.line();
  terminal.line(counts.map(([kind, count]) => `${count} ${kind}`).join(', ') || 'no images');
  if (!told) printAttention(result, terminal);
  const bad = result.counts.blocked + result.counts.failed + result.counts.unresolved;
  if (result.counts.blocked > 0) say('blocked: ', `nothing of it was pushed; ${AFTER_BLOCK}`);
  if (bad > 0 && result.accounts.length > 0)
    say(
      '',
      `${bad} image${bad === 1 ? ' keeps its' : 's keep their'} fields as they were: builds pull what those name`,
    );
  printChanges(result.report, terminal);
  for (const { infra, kind, reason } of result.accounts) say(`account, ${infra}: `, `${kind}: ${reason}`);
  for (const { name, at, ok, message } of result.templateSteps ?? [])
    if (!ok) say(`step ${name}, ${at}: `, `failed: ${message}`);
  // To be pasted or opened: these are never broken.
  const undo = undoCommand(result);
  if (undo !== null) terminal.line(`undo in the account: ${undo}`);
  if (result.report) terminal.line(`report: ${result.report.html}`);
  terminal.line(`run: ${result.runId}`);
}

function printAttention({ attention, counts }: RunResult, terminal: Terminal): void {
  if (attention === undefined || attention.length === 0) return;
  const row = ({ image, kind, note }: ImageEnd): string[] => {
    const { mark, colour } = LOOK[kind];
    return [terminal.paint(colour, `${mark} ${image}`), terminal.paint(colour, kind), note];
  };
  for (const line of table(attention.map(row), terminal.columns)) terminal.line(line);
  const all = FAILING_OUTCOMES.reduce((sum, kind) => sum + counts[kind], 0);
  if (all > attention.length) terminal.line(`  and ${all - attention.length} more, in the report`);
}

function printChanges(report: ReportRef | null, terminal: Terminal): void {
  if (!report || report.changes === undefined) return; // a worker of an older version
  if (report.changes === null) {
    terminal.line('changed: there is no earlier run of this registry, account and selection to compare with');
    return;
  }
  const { since, lines, more } = report.changes;
  const before = `the run of ${since.slice(0, 16).replace('T', ' ')} UTC`;
  terminal.line(`changed since ${before}:${lines.length === 0 ? ' nothing' : ''}`);
  for (const text of lines) for (const line of hanging('  ', text, terminal.columns)) terminal.line(line);
  if (more > 0) terminal.line(`  and ${more} more, in the report`);
}

/** The command that undoes the run in the account, to be pasted; null where there is nothing to undo. */
function undoCommand({ undo, runId, accounts }: RunResult): string | null {
  if (undo === undefined)
    return accounts.some(({ kind }) => TOUCHED.includes(kind)) ? `${self()} restore ${runId}` : null;
  if (undo === null) return null;
  return `${self()} ${restoreWords(undo)}`;
}
