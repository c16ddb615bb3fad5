import { restoreHarnessId, WORKFLOW } from '../contract/names.js';
import { AFTER_BLOCK } from '../contract/note.js';
import { FAILING_OUTCOMES, type ReportRef, type RunResult } from '../contract/outcome.js';
import type { RunProgress } from '../contract/progress.js';
import { restoreWords, shellWord } from '../contract/undo.js';

/** The Web UI renders this; more rows than a person reads only cost. */
const ROWS = 60;

/**
 * The run as Markdown for the Web UI: where it is, which images need a person and what to do, once it ended what changed
 * and how to undo it, then what is in work and the newest of the rest.
 */
export function detailsTable(progress: RunProgress, done: number, taskQueue: string): string {
  const { phase, images, paused, running, finished, result } = progress;
  const bad = finished.filter(({ kind }) => FAILING_OUTCOMES.includes(kind));
  const good = finished.filter(({ kind }) => !FAILING_OUTCOMES.includes(kind)).reverse();
  const first = bad.slice(0, ROWS).map(row);
  const rest = [
    ...running.map(({ image, workflowId }) => `| ${cell(image)} | in work | \`${workflowId}\` |`),
    ...good.map(row),
  ].slice(0, ROWS - first.length);
  const hidden = done + running.length - first.length - rest.length;
  return [
    `**${paused ? `${phase}, paused` : phase}**: ${done} of ${images} images done`,
    ...table('needs you', first),
    ...(bad.some(({ kind }) => kind === 'blocked')
      ? ['', `**Blocked**: nothing of it was pushed; ${AFTER_BLOCK}.`]
      : []),
    ...(result === undefined ? [] : ending(result, taskQueue)),
    ...table('image', rest),
    ...(hidden > 0 ? ['', `and ${hidden} more`] : []),
  ].join('\n');
}

const table = (title: string, rows: readonly string[]): string[] =>
  rows.length === 0 ? [] : ['', `| ${title} | outcome | note |`, '|---|---|---|', ...rows];

function ending({ report, accounts, undo }: RunResult, taskQueue: string): string[] {
  return [
    ...(report === null ? [] : [...changesText(report.changes), '', `**Report**: \`${cell(report.html)}\``]),
    ...accounts.flatMap(({ infra, kind, reason }) => ['', `**Account, ${infra}**: ${kind}: ${cell(reason)}`]),
    ...(undo == null
      ? []
      : [
          '',
          `**Undo** in the account: \`image-factory ${restoreWords(undo)}\`, or`,
          '',
          // No code block: the Web UI (2.42) cuts one off where code in a line goes on below.
          `\`temporal workflow start --type ${WORKFLOW.restoreHarness} --task-queue ${shellWord(taskQueue)} --workflow-id ${restoreHarnessId(undo.runId)} --input ${shellWord(JSON.stringify(undo))}\``,
        ]),
  ];
}

function changesText(changes: ReportRef['changes']): string[] {
  if (changes === undefined) return [];
  if (changes === null)
    return [
      '',
      '**Changed**: there is no earlier run of this registry, account and selection to compare with',
    ];
  const { since, lines, more } = changes;
  const title = `**Changed** since the run of ${since.slice(0, 16).replace('T', ' ')} UTC:`;
  if (lines.length === 0) return ['', `${title} nothing`];
  return [
    '',
    title,
    '',
    ...lines.map((line) => `- ${cell(line)}`),
    ...(more > 0 ? [`- and ${more} more, in the report`] : []),
  ];
}

const row = ({ image, kind, note }: RunProgress['finished'][number]): string =>
  `| ${cell(image)} | ${kind} | ${cell(note)} |`;

/** Text of others inside Markdown: no cell ends early, no line breaks, no markup. */
const cell = (text: string): string => text.slice(0, 300).replace(/[|\r\n<>[\]`*\\]/g, ' ');
