const UNITS = [
  ['GB', 1e9],
  ['MB', 1e6],
  ['kB', 1e3],
] as const;

const unitOf = (bytes: number): readonly [string, number] =>
  UNITS.find(([, size]) => bytes >= size) ?? (['B', 1] as const);

const inUnit = (bytes: number, size: number): string =>
  size === 1 ? String(Math.round(bytes)) : (bytes / size).toFixed(1);

/** `840 B`, `12.3 MB`: decimal, as registries and the report count. */
export function amount(bytes: number): string {
  const [unit, size] = unitOf(bytes);
  return `${inUnit(bytes, size)} ${unit}`;
}

/** `12.3 of 456.0 MB`: both in the unit of the whole. */
export function amountOf(bytes: number, total: number): string {
  const [unit, size] = unitOf(total);
  return `${inUnit(bytes, size)} of ${inUnit(total, size)} ${unit}`;
}

/** `42 s`, `2 m 10 s`, `1 h 5 m`: no tenths, which would only flicker in a picture that is redrawn. */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} m`;
}

/** `0%` to `100%`; what began is not shown as ended. */
export const percent = (part: number, whole: number): string =>
  `${whole > 0 ? Math.min(100, Math.floor((part / whole) * 100)) : 0}%`;
