/**
 * What the page does better with script: filter by text and outcome, sort by a column, copy a digest, and open all
 * findings for the printer. Names are only ever compared and never made into markup.
 */
export const SCRIPT = `
'use strict';
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const by = (id) => document.getElementById(id);
const table = by('images'), tools = by('tools'), text = by('text'), outcome = by('outcome');
if (table && tools) {
  const rows = all('tbody > tr', table);
  const details = new Map(all('details[data-image]').map((one) => [one.dataset.image, one]));
  const nameOf = (row) => row.querySelector('th').firstChild.data || '';
  const seen = new Map();
  const textOf = (node) => { if (!seen.has(node)) seen.set(node, node.textContent.toLowerCase()); return seen.get(node); };
  for (const word of new Set(rows.map((row) => row.dataset.outcome))) outcome.append(new Option(word, word));
  const filter = () => {
    const wanted = text.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const detail = details.get(nameOf(row));
      const fits = !outcome.value || row.dataset.outcome === outcome.value;
      const here = textOf(row).includes(wanted);
      const inside = detail !== undefined && textOf(detail).includes(wanted);
      row.hidden = !(fits && (here || inside));
      if (detail) detail.hidden = row.hidden;
      if (!row.hidden) shown += 1;
    }
    by('shown').textContent = shown + ' of ' + rows.length + (rows.length === 1 ? ' image' : ' images');
  };
  text.addEventListener('input', filter);
  outcome.addEventListener('change', filter);
  tools.hidden = false;
}
const valueOf = (row, column) => {
  let at = 0;
  for (const cell of row.cells) {
    if (column < at + cell.colSpan) return cell.dataset.sort || cell.firstChild?.textContent.trim() || '';
    at += cell.colSpan;
  }
  return '';
};
const sortable = (one) => {
  if (one.dataset.sortable) return;
  one.dataset.sortable = 'yes';
  const heads = all('thead th', one);
  heads.forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const number = head.className === 'number';
      const down = head.hasAttribute('aria-sort') ? head.getAttribute('aria-sort') === 'ascending' : number;
      heads.forEach((other) => other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const rows = all('tbody > tr', one).map((row) => [valueOf(row, column), row]);
      const compare = new Intl.Collator('en', { numeric: true }).compare;
      rows.sort((a, b) => (down ? compare(b[0], a[0]) : compare(a[0], b[0])));
      one.tBodies[0].append(...rows.map((pair) => pair[1]));
    });
  });
};
if (table) sortable(table);
all('details').forEach((one) => one.addEventListener('toggle', () => all('table', one).forEach(sortable)));
const copy = async (code, button) => {
  try { await navigator.clipboard.writeText(code.textContent); }
  catch { getSelection().selectAllChildren(code); document.execCommand('copy'); }
  button.textContent = 'copied';
  setTimeout(() => { button.textContent = 'copy'; }, 1500);
};
for (const code of all('code.copy')) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'copier';
  button.textContent = 'copy';
  button.setAttribute('aria-label', 'copy ' + code.textContent.slice(0, 24));
  button.addEventListener('click', () => copy(code, button));
  code.after(button);
}
let closed = [];
addEventListener('beforeprint', () => { closed = all('details:not([open])'); closed.forEach((one) => { one.open = true; }); });
addEventListener('afterprint', () => closed.forEach((one) => { one.open = false; }));
`;
