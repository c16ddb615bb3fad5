import type { CalendarSpecDescription, Range } from '@temporalio/client';
import { DAYS_OF_WEEK, MONTHS } from '@temporalio/client/lib/schedule-types.js';

/** Lowest and highest value of each of cron's five fields. */
const FIELDS = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 6],
] as const;
type Bounds = readonly [low: number, high: number];

const PART = /^(\*|(\d{1,4})(?:-(\d{1,4}))?)(?:\/(\d{1,4}))?$/;

/**
 * A cron expression as {@link calendarText} writes what the server made of it; undefined for what only the server can
 * read (names, seconds, `@daily`, faults). Knowing beforehand that nothing would change spares a write: one discards
 * actions that the server is just catching up with (`discard actions before the UpdateTime`, server 1.29).
 */
export function canonicalCron(cron: string): string | undefined {
  const fields = cron.trim().split(/\s+/);
  if (fields.length !== FIELDS.length) return undefined;
  const texts = FIELDS.map((bounds, n) => canonicalField(fields[n] ?? '', bounds));
  return texts.includes(undefined) ? undefined : texts.join(' ');
}

function canonicalField(field: string, bounds: Bounds): string | undefined {
  const ranges: Range<number>[] = [];
  for (const part of field.split(',')) {
    const match = PART.exec(part);
    if (match === null) return undefined;
    const [, , from, to, every] = match;
    const start = from === undefined ? bounds[0] : Number(from);
    // `5/15` goes on to the highest, `5` alone does not.
    const end = to !== undefined ? Number(to) : from === undefined || every !== undefined ? bounds[1] : start;
    const step = Number(every ?? 1);
    if (start < bounds[0] || end > bounds[1] || end < start || step < 1) return undefined;
    ranges.push({ start, end, step });
  }
  return fieldText(ranges, bounds);
}

function fieldText(ranges: readonly Range<number>[], [low, high]: Bounds): string {
  const texts = ranges.map(({ start, end, step }) => {
    if (start === end) return `${start}`;
    const range = start === low && end === high ? '*' : `${start}-${end}`;
    return step === 1 ? range : `${range}/${step}`;
  });
  return texts.join(',');
}

/** What the server made of a cron expression, as one: five fields, with year and second where they say something. */
export function calendarText(calendar: CalendarSpecDescription): string {
  const numbered = <T>(ranges: readonly Range<T>[], names: readonly T[], first: number): Range<number>[] =>
    ranges.map(({ start, end, step }) => ({
      start: names.indexOf(start) + first,
      end: names.indexOf(end) + first,
      step,
    }));
  const values = [
    calendar.minute,
    calendar.hour,
    calendar.dayOfMonth,
    numbered(calendar.month, MONTHS, 1),
    numbered(calendar.dayOfWeek, DAYS_OF_WEEK, 0),
  ];
  const five = FIELDS.map((bounds, n) => fieldText(values[n] ?? [], bounds)).join(' ');
  const second = fieldText(calendar.second, [0, 59]);
  const year = fieldText(calendar.year, [-1, -1]) || '*';
  if (second !== '0') return `${second} ${five} ${year}`;
  return year === '*' ? five : `${five} ${year}`;
}
