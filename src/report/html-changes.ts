import { evidenceLink, heads, minute, table } from './html-parts.js';
import { html, type Markup } from './markup.js';
import type { Report } from './schema.js';

/** What is different from the last run; said also when nothing is. */
export function changesSection({ changes }: Report): Markup {
  if (changes === null)
    return html`<p>There is no earlier run of this registry, account and selection to compare with.</p>`;
  const { since, appeared, gone, changed, fields } = changes;
  const rows = [
    ...appeared.map((image) => ({ image, kind: 'new', what: 'was not there before' })),
    ...gone.map((image) => ({ image, kind: 'gone', what: 'no field has it any more' })),
    ...changed.map(({ image, what }) => ({ image, kind: 'changed', what: what.join('; ') })),
  ];
  return html`<p>Compared with ${evidenceLink(since.report.replace(/\.json$/, '.html'), `the run of ${minute(since.finishedAt)}`)}${
    rows.length + fields.length === 0 && ': nothing changed'
  }.</p>
${
  rows.length > 0 &&
  table(
    'Changed images',
    heads('Image', 'Change', 'What'),
    html`<tbody>${rows.map(
      ({ image, kind, what }) =>
        html`<tr><th scope="row" class="wrap">${image}</th><td class="keep">${kind}</td><td class="wrap">${what}</td></tr>`,
    )}</tbody>`,
  )
}${
  fields.length > 0 &&
  table(
    'Changed fields',
    heads('Field', 'Before', 'Now'),
    html`<tbody>${fields.map(
      ({ infra, field, before, after }) =>
        html`<tr><th scope="row">${infra} ${field}</th><td class="wrap">${before ?? 'none'}</td><td class="wrap">${after ?? 'none'}</td></tr>`,
    )}</tbody>`,
  )
}`;
}
