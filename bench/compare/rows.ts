import type { Row } from './bench.js';
import { firstMirror } from './rows/first-mirror.js';
import { slowLink } from './rows/link.js';
import { nothingChanged } from './rows/nothing-changed.js';

/** In the order of the table; `--only` takes these names. */
export const ROWS: readonly { name: string; measure: Row }[] = [
  { name: 'first-mirror', measure: firstMirror },
  { name: 'link', measure: slowLink },
  { name: 'nothing-changed', measure: nothingChanged },
];

export function selectRows(only: string | undefined): typeof ROWS {
  if (only === undefined) return ROWS;
  const wanted = only.split(',');
  const unknown = wanted.filter((name) => !ROWS.some((row) => row.name === name));
  if (unknown.length > 0)
    throw new Error(`no row ${unknown.join(', ')}; there are ${ROWS.map(({ name }) => name).join(', ')}`);
  return ROWS.filter(({ name }) => wanted.includes(name));
}
