import type { WriteStream } from 'node:tty';
import { stripVTControlCharacters } from 'node:util';

const COLOURS = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;
export type Colour = keyof typeof COLOURS;

/** Where a command writes: people read lines and errors, programs read JSON; only errors are on standard error. */
export interface Terminal {
  line(text?: string): void;
  error(text: string): void;
  json(value: unknown): void;
  /** How wide a line may be; infinite where no person looks at it. */
  readonly columns: number;
  paint(colour: Colour, text: string): string;
}

/** Standard output and error; colour only on a terminal that wants it (https://no-color.org). */
export function processTerminal(
  stdout: Output = process.stdout,
  stderr: Output = process.stderr,
  env: NodeJS.ProcessEnv = process.env,
): Terminal {
  const coloured = stdout.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
  return {
    line: (text = '') => stdout.write(`${text}\n`),
    error: (text) => stderr.write(`${text}\n`),
    json: (value) => stdout.write(`${JSON.stringify(value, null, 2)}\n`),
    get columns() {
      return (stdout.isTTY && stdout.columns) || Number.POSITIVE_INFINITY;
    },
    paint: (colour, text) => (coloured ? `\u001b[${COLOURS[colour]}m${text}\u001b[0m` : text),
  };
}

type Output = Pick<WriteStream, 'write'> & Partial<Pick<WriteStream, 'isTTY' | 'columns'>>;

const width = (text: string): number => stripVTControlCharacters(text).length;

/** Columns as wide as their widest cell; the last one takes what is left of the room. */
export function table(rows: readonly (readonly string[])[], room = Number.POSITIVE_INFINITY): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [n, cell] of row.entries()) widths[n] = Math.max(widths[n] ?? 0, width(cell));
  }
  return rows.flatMap((row) => {
    const cells = row.slice(0, -1).map((cell, n) => `${cell}${' '.repeat((widths[n] ?? 0) - width(cell))}  `);
    return hanging(cells.join(''), row.at(-1) ?? '', room);
  });
}

/** Less room than this makes no column. */
const COLUMN_MIN = 24;

/** How far a text is moved in that stands below its start. */
const BELOW = '    ';

/** A text that goes on below its own beginning, or all of it below `start` where that leaves too little room. */
export function hanging(start: string, text: string, room: number): string[] {
  const indent = width(start);
  if (text.length > room - indent && room - indent < COLUMN_MIN)
    return [start.trimEnd(), ...wrap(text, room - BELOW.length).map((line) => `${BELOW}${line}`)];
  const [first = '', ...rest] = wrap(text, Math.max(COLUMN_MIN, room - indent));
  return [`${start}${first}`, ...rest.map((more) => `${' '.repeat(indent)}${more}`)];
}

/** Breaks a text between words, so that each line has at most `room` characters; a longer word has one of its own. */
export function wrap(text: string, room: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= room)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** `840 ms`, `3.2 s`, `2 m 10 s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000); // first rounded, then split: never `1 m 60 s`
  return `${Math.floor(seconds / 60)} m ${seconds % 60} s`;
}
