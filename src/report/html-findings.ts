import { SEVERITIES, type Severity } from '../contract/verdict.js';
import { TRIVY } from '../scanners/finding.js';
import { decidingOf, standingScan } from './deciding.js';
import { badge, evidenceLink, heads, type Tone, table } from './html-parts.js';
import { html, type Markup } from './markup.js';
import type { Report, ReportImage } from './schema.js';
import type { ReportFinding } from './schema-parts.js';

const TONES: Record<Severity, Tone> = {
  CRITICAL: 'bad',
  HIGH: 'bad',
  MEDIUM: 'warn',
  LOW: 'idle',
  UNKNOWN: 'note',
};

/** @param others whether there are scanners beside Trivy, so that it matters which one found it */
const row = (
  {
    id,
    package: name,
    installed,
    fixed,
    severity,
    title,
    url,
    platforms,
    foundBy,
    suppressed,
  }: ReportFinding,
  others: boolean,
): Markup => html`<tr${suppressed !== null && html` class="out"`}>
<td data-sort="${SEVERITIES.indexOf(severity)}"><b class="${TONES[severity]}-ink">${severity}</b></td><th scope="row">${
  url === null ? id : html`<a href="${url}" rel="noreferrer">${id}</a>`
}</th><td>${name}</td><td>${installed}</td><td>${fixed ?? 'no fix'}</td><td>${title}${
  suppressed !== null &&
  html`<small>Excepted by ${suppressed.owner} until ${suppressed.expires}: ${suppressed.reason}</small>`
}</td><td>${platforms.join(', ')}</td>${others && html`<td>${foundBy.join(', ')}</td>`}</tr>`;

const HEADS = ['Severity', 'Vulnerability', 'Package', 'Installed', 'Fixed in', 'Title', 'Platforms'];

/** Where the whole of it lies, for what this page leaves out. */
const rawOutput = ({ platforms }: ReportImage): Markup =>
  html`${platforms
    .flatMap((one) => {
      const scan = standingScan(one);
      return scan === null
        ? []
        : [scan.evidence, ...scan.others.map(({ evidence }) => evidence)].map(
            ({ key }) => [one.platform, key] as const,
          );
    })
    .map(([platform, key], index) => [index > 0 && ', ', evidenceLink(key, `${platform} (${key})`)])}`;

function details(image: ReportImage, others: boolean): Markup {
  const { list, total, unread } = image.findings;
  const excepted = list.filter(({ suppressed }) => suppressed !== null).length;
  const counts = SEVERITIES.map(
    (severity) =>
      [severity, list.filter((one) => one.severity === severity && one.suppressed === null).length] as const,
  )
    .filter(([, count]) => count > 0)
    .map(([severity, count]) => `${count} ${severity.toLowerCase()}`);
  if (unread.length > 0) counts.push(`${unread.length} platform${unread.length === 1 ? '' : 's'} not read`);
  if (excepted > 0) counts.push(`${excepted} excepted`);
  return html`<details data-image="${image.image}"><summary><strong>${image.image}</strong> ${
    decidingOf(image).verdict?.decision === 'block' && badge('blocked', 'bad')
  } <span>${counts.join(', ')}</span></summary>
${
  list.length > 0 &&
  table(
    `Findings of ${image.image}`,
    heads(...HEADS, ...(others ? ['Found by'] : [])),
    html`<tbody>${list.map((one) => row(one, others))}</tbody>`,
  )
}${
  total > list.length &&
  html`<p>${total - list.length} more are not listed here. The scanners’ own output has them: ${rawOutput(image)}.</p>`
}${unread.map(({ platform, reason }) => html`<p>${platform}: not read, ${reason}</p>`)}</details>`;
}

/** Each image that has findings, closed until it is opened. */
export function findingsSection(report: Report): Markup {
  const some = report.images.filter(({ findings }) => findings.total + findings.unread.length > 0);
  const { total, listed, exported } = report.findings;
  const others = some.some(({ findings }) =>
    findings.list.some(({ foundBy }) => foundBy.some((name) => name !== TRIVY)),
  );
  if (some.length === 0) return html`<p>No finding is on record.</p>`;
  return html`<p>${total} finding${total === 1 ? '' : 's'} in ${some.length} image${some.length === 1 ? '' : 's'}, each vulnerability and package once, with the platforms that have it. ${
    listed < total && html`<strong>The ${listed} worst are listed here.</strong> `
  }${exported < total ? `${exported} of them` : 'All of them'} are in <a href="report.csv">report.csv</a> and <a href="report.sarif">report.sarif</a>.${
    report.images.some(({ builtVerdict }) => builtVerdict !== null) &&
    ' Where an image was built, they are of what was built, since that is what runs.'
  }</p>
${some.map((image) => details(image, others))}`;
}
