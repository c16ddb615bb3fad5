import type { Row } from './bench.js';
import { firstMirror } from './rows/first-mirror.js';
import { largeImagesRow } from './rows/large.js';
import { slowLink } from './rows/link.js';
import { nothingChanged } from './rows/nothing-changed.js';
import { oneChanged } from './rows/one-changed.js';
import { requestsForNew } from './rows/requests.js';
import { withScan } from './rows/scan.js';

/** In the order of the table; `--only` takes these names. */
export const ROWS: readonly { name: string; measure: Row }[] = [
  { name: 'first-mirror', measure: firstMirror },
  { name: 'link', measure: slowLink },
  { name: 'nothing-changed', measure: nothingChanged },
  { name: 'one-changed', measure: oneChanged },
  { name: 'scan', measure: withScan },
  { name: 'requests', measure: requestsForNew },
  { name: 'large', measure: largeImagesRow },
];

export function selectRows(only: string | undefined): typeof ROWS {
  if (only === undefined) return ROWS;
  const wanted = only.split(',');
  const unknown = wanted.filter((name) => !ROWS.some((row) => row.name === name));
  if (unknown.length > 0)
    throw new Error(`no row ${unknown.join(', ')}; there are ${ROWS.map(({ name }) => name).join(', ')}`);
  return ROWS.filter(({ name }) => wanted.includes(name));
}
