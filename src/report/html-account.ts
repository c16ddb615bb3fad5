import { badge, evidenceLink, heads, table } from './html-parts.js';
import { html, type Markup } from './markup.js';
import type { Report } from './schema.js';

/** What happened to the account's fields, before and after, and how to undo it. */
export function accountSection(report: Report): Markup {
  if (report.accounts.length === 0) return html`<p>The account was not touched.</p>`;
  return html`${report.accounts.map(
    ({ account, infra, kind, reason, snapshot, updated, rejected }) => html`<p>${badge(
      kind,
      kind === 'refused' || kind === 'failed' ? 'bad' : kind === 'updated' ? 'good' : 'idle',
    )} <strong>${account}, ${infra}</strong>: ${reason}${
      snapshot !== null && html`. ${evidenceLink(snapshot, 'Overrides as they were before')}.`
    }</p>
${
  updated.length + rejected.length > 0 &&
  table(
    `Fields of ${account}, ${infra}`,
    heads('Field', 'Before', 'After'),
    html`<tbody>${updated.map(({ field, before, after }) => html`<tr><th scope="row">${field}</th><td class="wrap">${before ?? 'Harness’s default'}</td><td class="wrap">${after}</td></tr>`)}
${rejected.map(({ field, value, reason: why }) => html`<tr><th scope="row">${field}</th><td class="wrap">${badge('rejected', 'warn')} <small>${why}</small></td><td class="wrap">${value}</td></tr>`)}</tbody>`,
  )
}`,
  )}${undo(report)}`;
}

/** A failed update may have set fields before it failed; where a snapshot was taken, there is a way back. */
export const canBeUndone = ({ kind, snapshot }: Report['accounts'][number]): boolean =>
  (kind === 'updated' || kind === 'failed') && snapshot !== null;

function undo({ accounts, run }: Report): Markup | false {
  const touched = accounts.filter(canBeUndone);
  if (touched.length === 0) return false;
  const infra = [...new Set(touched.map((one) => one.infra))].join(',');
  return html`<h3>How to undo it</h3><p><code class="copy">image-factory restore ${run.id} --infra ${infra}</code></p><p>It puts back the fields that this run set and that nobody changed since. From a checkout: <code>npm run -s image-factory -- restore ${run.id} --infra ${infra}</code></p>`;
}
