import { badge, heads, table } from './html-parts.js';
import { html, type Markup } from './markup.js';
import type { Report } from './schema.js';

/** `48.1 MB`; decimal units, as registries and networks count. */
function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let amount = bytes;
  let unit = 0;
  while (amount >= 999.5 && unit < units.length - 1) {
    amount /= 1000;
    unit++;
  }
  return `${unit === 0 ? amount : amount.toFixed(1)} ${units[unit]}`;
}

/** What each host was asked, and what it said of its limit. */
export function trafficSection({ traffic }: Report): Markup {
  if (traffic.length === 0) return html`<p>No registry was asked.</p>`;
  const number = (value: string | number, raw: number): Markup =>
    html`<td class="number" data-sort="${raw}">${value}</td>`;
  return html`${table(
    'Traffic',
    heads('Host', '#Requests', '#Received', '#Sent', 'Limits'),
    html`<tbody>${traffic.map(
      ({ host, requests, bytesIn, bytesOut, limited, remaining }) =>
        html`<tr><th scope="row" class="wrap">${host}</th>${number(requests, requests)}${number(bytesText(bytesIn), bytesIn)}${number(bytesText(bytesOut), bytesOut)}<td>${
          limited > 0 && badge(`slowed us down ${limited} time${limited === 1 ? '' : 's'}`, 'warn')
        }${remaining !== null && html` ${remaining} left of its limit`}${limited === 0 && remaining === null && 'none met'}</td></tr>`,
    )}</tbody>`,
  )}<p><small>Requests and bodies of this run, counted by its workers. What Trivy fetches by itself (its vulnerability databases) and what Harness is asked are not in it; a worker that was killed takes its last 10 s of counts with it.</small></p>`;
}
