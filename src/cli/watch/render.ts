import { LOOK } from '../follow.js';
import { type Colour, hanging, type Terminal } from '../terminal.js';
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
const NAME_MAX = 52;
const NAME_MIN = 16;
/** ` mirrored   `, as long as the longest kind. */
const KIND_COLUMN = 10;
const STEP_COLUMN = 14;
const AMOUNT_COLUMN = 19;
const RATE_COLUMN = 10;
const LEFT_COLUMN = 12;
const WORK_COLUMNS = STEP_COLUMN + AMOUNT_COLUMN + RATE_COLUMN + LEFT_COLUMN + 8;
const BAR_MAX = 30;
const NOTE_INDENT = '    ';

/** A picture of a run: at most `rows` lines, none of them wider than `columns`. */
export function render(frame: Frame, window: Window): string[] {
  const head = [header(frame, window), ...bar(frame, window)];
  const name = nameColumn(frame, window.columns);
  const sections: Section[] = [
    {
      entries: frame.working.map((row) => [workLine(row, name, window)]),
      more: (count) => faint(`  and ${count} more in work`, window),
    },
    {
      entries: frame.attention.map((row) => endLines(row, name, window)),
      more: (count) => faint(`  and ${count} more that need you`, window),
    },
    {
      entries: frame.warnings.map((row) => warningLines(row, name, window)),
      more: (count) => faint(`  and ${count} more warnings`, window),
    },
    {
      entries: frame.finished.map((row) => endLines(row, name, window)),
      more: (count) => faint(`  and ${count} more that ended before`, window),
    },
  ];
  const rows = share(sections, window.rows - head.length);
  return [...head, ...rows].slice(0, window.rows);
}

function header(frame: Frame, window: Window): string {
  const { phase, paused, done, images, elapsedMs, notice, workflowId } = frame;
  const state = [phase ?? 'waits for a worker', ...(paused ? ['paused'] : [])].join(', ');
  const counted = images > 0 ? [`${done} of ${images} images`] : [];
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

function workLine(
  { image, step, doing, transfer }: WorkRow,
  name: number,
  { columns, colour }: Window,
): string {
  const did = step === null ? 'begins' : doing === '' ? step : `${step}: ${doing}`;
  const mark = `${colour('bold', '▸')} `;
  if (columns < WIDE) {
    const part = transfer ? percent(transfer.bytes, transfer.total).padStart(4) : '    ';
    return clipEnd(`${mark}${cell(image, name)}  `, `${did.padEnd(6)} ${part}`, columns, name + 4);
  }
  const cells = transfer
    ? [
        amountOf(transfer.bytes, transfer.total).padStart(AMOUNT_COLUMN),
        (transfer.rate === null ? '' : `${amount(transfer.rate)}/s`).padStart(RATE_COLUMN),
        transfer.leftMs === null ? '' : `${clock(transfer.leftMs)} left`,
      ]
    : [];
  const rest = [cell(did, STEP_COLUMN), ...cells].join('  ');
  return clipEnd(`${mark}${cell(image, name)}  `, rest, columns, name + 4);
}

function endLines({ image, kind, note }: FinishedRow, name: number, window: Window): string[] {
  const { mark, colour } = LOOK[kind];
  return noted({ mark, colour, name: image, word: kind, note }, name, window);
}

function warningLines(row: WarningRow, name: number, window: Window): string[] {
  const { image, activity, attempt, message } = row;
  const note = `${activity}, attempt ${attempt} follows: ${message}`;
  return noted(
    { mark: '!', colour: 'yellow', name: image || 'the run', word: 'warning', note },
    name,
    window,
  );
}

interface Noted {
  mark: string;
  colour: Colour;
  name: string;
  word: string;
  note: string;
}

/** One line, and a further one for the note in a narrow window; as many as it takes in a picture that stays. */
function noted(row: Noted, width: number, { columns, rows, colour }: Window): string[] {
  const note = clean(row.note);
  const plain = `${row.mark} ${cell(row.name, width)}  ${row.word.padEnd(KIND_COLUMN)}`;
  if (columns < WIDE) {
    const start = colour(row.colour, clip(plain, columns).trimEnd());
    if (note === '') return [start];
    if (rows === Number.POSITIVE_INFINITY) return [start, ...hanging(NOTE_INDENT, note, columns)];
    return [start, `${NOTE_INDENT}${clip(note, columns - NOTE_INDENT.length)}`];
  }
  const start = `${colour(row.colour, plain)}  `;
  if (rows === Number.POSITIVE_INFINITY) return hanging(start, note, columns);
  return [`${start}${clip(note, columns - plain.length - 2)}`.trimEnd()];
}

/** As wide as the longest name, within what the other columns leave. */
function nameColumn({ working, attention, warnings, finished }: Frame, columns: number): number {
  const longest = [...working, ...attention, ...warnings, ...finished].reduce(
    (most, { image }) => Math.max(most, image.length),
    NAME_MIN,
  );
  const others = columns < WIDE ? 2 + KIND_COLUMN + 5 : 4 + WORK_COLUMNS;
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

/** A painted start of known width, and as much of the rest as fits. */
const clipEnd = (start: string, rest: string, columns: number, startWidth: number): string =>
  `${start}${clip(rest, columns - startWidth)}`.trimEnd();

const faint = (text: string, { colour, columns }: Window): string => colour('dim', clip(text, columns));
