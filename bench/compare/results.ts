import { type Line, tableOf } from './line.js';
import { machineOf } from './machine.js';
import type { Programs } from './programs.js';

export interface Results {
  lines: readonly Line[];
  runs: number;
  minutes: number;
  versions: Programs['versions'];
  absent: Programs['absent'];
  date: Date;
}

/** bench/RESULTS.md */
export function resultsOf({ lines, runs, minutes, versions, absent, date }: Results): string {
  const measured = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    '# What `npm run bench` measured',
    '',
    `${date.toISOString().slice(0, 10)}, in ${minutes.toFixed(0)} minutes; times are the median of ${runs} runs with the range of all.`,
    '',
    'After every measured run that writes, `crane validate --remote` looked at all copies: with `--fast`, and in full after the last run of each contestant, and of the large images. Runs that find nothing changed write nothing: their copies were looked at in full after the last of them. Peers ran as whole commands, five at once, warmed, in an order that turned round at each run.',
    '',
    ...machineOf().map((line) => `- ${line}`),
    `- ${measured.join(', ')}`,
    ...absent.map((line) => `- ${line}`),
    '',
    tableOf(lines),
    '',
  ].join('\n');
}
