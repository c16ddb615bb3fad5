import { noteOf } from '../contract/note.js';
import type { ImageRecord } from '../contract/outcome.js';
import type { Phase, RunProgress } from '../contract/progress.js';

/** The Web UI renders this; more rows than a person reads only cost. */
const ROWS = 60;

/** The run as Markdown for the Web UI: what needs a person first, then what is in work, then the rest. */
export function detailsTable(
  phase: Phase,
  images: number,
  running: RunProgress['running'],
  records: readonly ImageRecord[],
): string {
  const rows = [
    ...records.filter(needsAttention).map(row),
    ...running.map(({ image, workflowId }) => `| ${cell(image)} | in work | \`${workflowId}\` |`),
    ...records.filter((record) => !needsAttention(record)).map(row),
  ];
  const hidden = rows.length - ROWS;
  return [
    `**${phase}**: ${records.length} of ${images} images done`,
    '',
    ...(rows.length > 0 ? ['| image | outcome | note |', '|---|---|---|', ...rows.slice(0, ROWS)] : []),
    ...(hidden > 0 ? ['', `and ${hidden} more`] : []),
  ].join('\n');
}

const needsAttention = ({ outcome }: ImageRecord): boolean =>
  outcome.kind === 'failed' || outcome.kind === 'blocked' || outcome.kind === 'unresolved';

const row = ({ item, outcome }: ImageRecord): string =>
  `| ${cell(item.image)} | ${outcome.kind} | ${cell(noteOf(outcome))} |`;

/** Text of others inside a Markdown table: no cell ends early, no line breaks, no markup. */
const cell = (text: string): string => text.slice(0, 200).replace(/[|\r\n<>[\]`*\\]/g, ' ');
