import { imageCount } from '../../common/count.js';
import { LOOK } from '../look.js';
import { type Colour, type Terminal, wrap } from '../terminal.js';
import type { FinishedRow, Frame, Transfer, WarningRow, WorkRow } from './frame.js';
import { type Section, share } from './sections.js';
import { amount, amountOf, clock, percent } from './units.js';

export interface Window {
  columns: number;
  /** Infinite for a picture that stays: nothing is left out or cut then. */
  rows: number;
  colour: Terminal['paint'];
}

/** With less than this a row says a percentage only, and notes stand below their image. */
const WIDE = 72;
/** From here on there is room for what a step itself says that it does. */
const ROOMY = 100;
const NAME_MAX = 52;
const NAME_MIN = 16;
/** As long as the longest kind of end. */
const KIND_COLUMN = 10;
const STEP_COLUMN = { wide: 6, roomy: 14 };
const AMOUNT_COLUMN = 17;
const RATE_COLUMN = 10;
const LEFT_COLUMN = 9;
/** What needs a person may take so many lines in a picture that is redrawn; what went well takes one. */
const ATTENTION_LINES = 3;
const BAR_MAX = 30;
const NOTE_INDENT = '    ';

/** A picture of a run: at most `rows` lines, none of them wider than `columns`. */
export function render(frame: Frame, window: Window): string[] {
  const name = nameColumn(frame, window.columns);
  const titles = frame.working.length > 0 && window.columns >= WIDE ? [titleLine(name, window)] : [];
  const head = [header(frame, window), ...bar(frame, window), ...titles];
  const sections: Section[] = [
    {
      entries: frame.working.map((row) => [workLine(row, name, window)]),
      more: (count) => faint(`  and ${count} more in work`, window),
    },
    {
      entries: frame.attention.map((row) => endLines(row, name, window, ATTENTION_LINES)),
      more: (count) => faint(`  and ${count} more that need you`, window),
    },
    {
      entries: frame.warnings.map((row) => warningLines(row, name, window)),
      more: (count) => faint(`  and ${count} more warnings`, window),
    },
    {
      entries: frame.finished.map((row) => endLines(row, name, window, 1)),
      more: (count) => faint(`  and ${count} more that ended before`, window),
    },
  ];
  const rows = share(sections, Math.max(0, window.rows - head.length));
  return [...head, ...rows].slice(0, window.rows);
}

function header(frame: Frame, window: Window): string {
  const { phase, paused, done, images, elapsedMs, notice, workflowId } = frame;
  const state = [phase ?? (notice ? 'waits for a worker' : 'looking'), ...(paused ? ['paused'] : [])].join(
    ', ',
  );
  const counted = images > 0 ? [`${done} of ${imageCount(images)}`] : [];
  const parts = [state, ...counted, clock(elapsedMs), ...(phase !== null && notice ? [notice] : [])];
  // What changes stands first: a narrow window cuts the id.
  const text = clip([...parts, workflowId].join('  '), window.columns);
  return window.colour(paused || notice ? 'yellow' : 'bold', text);
}

/** Images as a bar, bytes under way and how the others ended as words; on two lines where one is too narrow. */
function bar(frame: Frame, { columns, colour }: Window): string[] {
  const { done, images, transfer, counts } = frame;
  if (images === 0) return [];
  const width = Math.min(BAR_MAX, Math.max(8, Math.min(columns, 200) - 6));
  const full = Math.floor((done / images) * width);
  const drawn = `${'█'.repeat(full)}${'░'.repeat(Math.max(0, width - full))} ${percent(done, images).padStart(4)}`;
  const ends = Object.entries(counts).flatMap(([kind, count]) => (count > 0 ? [`${count} ${kind}`] : []));
  const words = [...(transfer ? [moving(transfer)] : []), ...(ends.length > 0 ? [ends.join(', ')] : [])].join(
    '  ',
  );
  if (columns >= WIDE) return [`${colour('green', drawn)}  ${clip(words, columns - width - 7)}`.trimEnd()];
  return [colour('green', clip(drawn, columns)), ...(words ? [clip(words, columns)] : [])];
}

const moving = ({ bytes, total, rate }: Transfer): string =>
  [amountOf(bytes, total), ...(rate === null ? [] : [`${amount(rate)}/s`])].join(', ');

const stepColumn = (columns: number): number => (columns < ROOMY ? STEP_COLUMN.wide : STEP_COLUMN.roomy);

function titleLine(name: number, window: Window): string {
  const cells = workCells(['step', 'bytes', 'rate', 'left'], window.columns);
  return faint(`  ${'image'.padEnd(name)}  ${cells}`, window);
}

function workLine({ image, step, doing, transfer }: WorkRow, name: number, window: Window): string {
  const { columns, colour } = window;
  const did = step ?? 'begins';
  const start = `${colour('bold', '▸')} ${cell(image, name)}  `;
  const room = columns - name - 4;
  if (columns < WIDE) {
    const part = transfer ? percent(transfer.bytes, transfer.total).padStart(4) : '';
    return `${start}${clip(`${did.padEnd(6)} ${part}`.trimEnd(), room)}`;
  }
  const told = columns >= ROOMY && doing !== '' ? `${did}: ${doing}` : did;
  const cells = transfer
    ? [
        amountOf(transfer.bytes, transfer.total),
        transfer.rate === null ? '' : `${amount(transfer.rate)}/s`,
        transfer.leftMs === null ? '' : clock(transfer.leftMs),
      ]
    : [];
  return `${start}${clip(workCells([told, ...cells], columns), room)}`;
}

function workCells(
  [step = '', bytes = '', rate = '', left = '']: readonly string[],
  columns: number,
): string {
  const numbers = [
    bytes.padStart(AMOUNT_COLUMN),
    rate.padStart(RATE_COLUMN),
    left.padStart(LEFT_COLUMN),
  ].join(' ');
  return `${cell(step, stepColumn(columns))}  ${numbers}`.trimEnd();
}

function endLines(row: FinishedRow, name: number, window: Window, most: number): string[] {
  const { image, kind, note } = row;
  return noted({ ...LOOK[kind], name: image, word: kind, note }, name, window, most);
}

function warningLines(row: WarningRow, name: number, window: Window): string[] {
  const { image, activity, attempt, message } = row;
  const note = `${activity}, attempt ${attempt} follows: ${message}`;
  const noting: Noted = { mark: '!', colour: 'yellow', name: image || 'the run', word: 'warning', note };
  return noted(noting, name, window, ATTENTION_LINES);
}

interface Noted {
  mark: string;
  colour: Colour;
  name: string;
  word: string;
  note: string;
}

/** The note beside its image, or below it in a narrow window, in at most so many lines. */
function noted(row: Noted, width: number, { columns, rows, colour }: Window, most: number): string[] {
  const plain = `${row.mark} ${cell(row.name, width)}  ${row.word.padEnd(KIND_COLUMN)}`;
  const below = columns < WIDE;
  const start = colour(row.colour, below ? clip(plain.trimEnd(), columns) : plain);
  const indent = below ? NOTE_INDENT.length : plain.length + 2;
  const room = columns - indent;
  const stays = rows === Number.POSITIVE_INFINITY;
  const note = clean(row.note);
  const lines = most === 1 && !stays ? [note] : wrap(note, room);
  const kept = stays ? lines : cutLines(lines, most).map((line) => clip(line, room));
  if (note === '') return [start];
  const [first = '', ...rest] = below ? ['', ...kept] : kept;
  const later = rest.map((line) => `${' '.repeat(indent)}${line}`);
  return [below ? start : `${start}  ${first}`, ...later];
}

/** The first lines, and in the last of them whatever is left, to be clipped. */
const cutLines = (lines: readonly string[], most: number): string[] =>
  lines.length <= most ? [...lines] : [...lines.slice(0, most - 1), lines.slice(most - 1).join(' ')];

/** As wide as the longest name, within what the other columns leave. */
function nameColumn({ working, attention, warnings, finished }: Frame, columns: number): number {
  const longest = [...working, ...attention, ...warnings, ...finished].reduce(
    (most, { image }) => Math.max(most, image.length),
    NAME_MIN,
  );
  const work = stepColumn(columns) + AMOUNT_COLUMN + RATE_COLUMN + LEFT_COLUMN + 8;
  const others = columns < WIDE ? 2 + KIND_COLUMN + 5 : working.length > 0 ? work : KIND_COLUMN + 24;
  return Math.min(longest, NAME_MAX, Math.max(NAME_MIN, columns - others));
}

/** What others wrote must not move the cursor or paint the screen. */
const clean = (text: string): string => text.replace(/\p{Cc}+/gu, ' ');

/** Exactly this wide; a longer text loses its middle, since names differ at their ends. */
function cell(text: string, width: number): string {
  const whole = clean(text);
  if (whole.length <= width) return whole.padEnd(width);
  const tail = Math.ceil((width - 1) / 2);
  return `${whole.slice(0, width - 1 - tail)}…${whole.slice(-tail)}`;
}

const clip = (text: string, width: number): string => {
  const whole = clean(text);
  return whole.length <= width ? whole : `${whole.slice(0, Math.max(0, width - 1))}…`;
};

const faint = (text: string, { colour, columns }: Window): string => colour('dim', clip(text, columns));
