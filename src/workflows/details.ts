import { FAILING_OUTCOMES } from '../contract/outcome.js';
import type { RunProgress } from '../contract/progress.js';

/** The Web UI renders this; more rows than a person reads only cost. */
const ROWS = 60;

/** The run as Markdown for the Web UI: what needs a person first, then what is in work, then the newest of the rest. */
export function detailsTable(progress: RunProgress, done: number): string {
  const { phase, images, paused, running, finished } = progress;
  const bad = finished.filter(({ kind }) => FAILING_OUTCOMES.includes(kind));
  const rest = finished.filter(({ kind }) => !FAILING_OUTCOMES.includes(kind)).reverse();
  const rows = [
    ...bad.map(row),
    ...running.map(({ image, workflowId }) => `| ${cell(image)} | in work | \`${workflowId}\` |`),
    ...rest.map(row),
  ];
  const hidden = done + running.length - Math.min(rows.length, ROWS);
  return [
    `**${paused ? `${phase}, paused` : phase}**: ${done} of ${images} images done`,
    '',
    ...(rows.length > 0 ? ['| image | outcome | note |', '|---|---|---|', ...rows.slice(0, ROWS)] : []),
    ...(hidden > 0 ? ['', `and ${hidden} more`] : []),
  ].join('\n');
}

const row = ({ image, kind, note }: RunProgress['finished'][number]): string =>
  `| ${cell(image)} | ${kind} | ${cell(note)} |`;

/** Text of others inside a Markdown table: no cell ends early, no line breaks, no markup. */
const cell = (text: string): string => text.slice(0, 200).replace(/[|\r\n<>[\]`*\\]/g, ' ');
