import { ageText, badge, evidenceLink, imagesTable, trailTable } from './html-images.js';
import { html, type Markup, raw } from './markup.js';
import type { Report } from './schema.js';
import { STYLE } from './style.js';

const minute = (time: string): string => `${time.slice(0, 16).replace('T', ' ')} UTC`;

function duration(report: Report): string {
  const total = Math.round((Date.parse(report.run.finishedAt) - Date.parse(report.run.startedAt)) / 1000);
  if (!Number.isFinite(total) || total < 0) return 'unknown';
  return total < 60 ? `${total} s` : `${Math.floor(total / 60)} min ${total % 60} s`;
}

/** Good is said only when nothing at all is left to look at. */
function toneOf(report: Report): 'good' | 'warn' | 'bad' {
  if (!report.verdict.ok && report.run.end.kind !== 'cancelled') return 'bad';
  return report.verdict.ok && report.needsAttention.length === 0 ? 'good' : 'warn';
}

const fact = (name: string, value: Markup | string): Markup =>
  html`<div><dt>${name}</dt><dd>${value}</dd></div>`;

function facts(report: Report): Markup {
  const { configuration: config, database, run } = report;
  return html`<dl>
${fact('Started', minute(run.startedAt))}${fact('Took', duration(report))}${fact('Workflow', html`${run.workflowId}<small>run ${run.id}</small>`)}
${
  config !== null &&
  html`${fact('Registry', config.registry)}
${fact('Harness', html`${config.harness}<small>account ${config.account}${config.answeredBy !== null && `, answered by ${config.answeredBy}`}</small>`)}
${fact('Sources', config.sourceRegistries.join(', '))}
${fact('Templates', html`${config.gatherScanTemplate.name} and ${config.buildPushTemplate.name}<small>gather-scan and build-push</small>`)}
${fact(
  'Policy',
  `${config.policy.action} on ${config.policy.fixableOnly ? 'fixable ' : ''}${config.policy.failOn}${config.policy.failOn === 'CRITICAL' ? '' : ' and above'}; ${config.policy.notScannable} what can’t be scanned`,
)}`
}
${
  database !== null &&
  fact(
    'Vulnerability database',
    `of ${minute(database.updatedAt)}, ${ageText(Math.max(0, Math.floor((Date.parse(run.finishedAt) - Date.parse(database.updatedAt)) / 3_600_000)))} old`,
  )
}
</dl>`;
}

const attention = (report: Report): Markup =>
  report.needsAttention.length === 0
    ? html`<p>Nothing.</p>`
    : html`<div class="scroll"><table><thead><tr><th scope="col">What</th><th scope="col">Where</th><th scope="col">Why, and what to do</th></tr></thead>
<tbody>${report.needsAttention.map(
        ({ kind, level, subject, text }) =>
          html`<tr><td class="keep">${badge(kind.replaceAll('-', ' '), level === 'error' ? 'bad' : 'warn')}</td><th scope="row" class="wrap">${subject}</th><td class="wrap">${text}</td></tr>`,
      )}</tbody></table></div>`;

function accounts(report: Report): Markup {
  if (report.accounts.length === 0) return html`<p>The account was not touched.</p>`;
  return html`${report.accounts.map(
    ({ account, infra, kind, reason, snapshot, updated, rejected }) => html`<p>${badge(
      kind,
      kind === 'refused' || kind === 'failed' ? 'bad' : kind === 'updated' ? 'good' : 'idle',
    )} <strong>${account}, ${infra}</strong>: ${reason}${
      snapshot !== null && html` ${evidenceLink(snapshot, 'Overrides as they were before')}.`
    }</p>
${
  updated.length + rejected.length > 0 &&
  html`<div class="scroll"><table><thead><tr><th scope="col">Field</th><th scope="col">Before</th><th scope="col">After</th></tr></thead><tbody>
${updated.map(({ field, before, after }) => html`<tr><th scope="row">${field}</th><td class="wrap">${before ?? 'Harness’s default'}</td><td class="wrap">${after}</td></tr>`)}
${rejected.map(({ field, value, reason: why }) => html`<tr><th scope="row">${field}</th><td class="wrap">${badge('rejected', 'warn')} <small>${why}</small></td><td class="wrap">${value}</td></tr>`)}
</tbody></table></div>`
}`,
  )}`;
}

const exceptions = (report: Report): Markup | false =>
  report.exceptions.length > 0 &&
  html`<h2>Exceptions of the policy</h2><div class="scroll"><table><thead><tr><th scope="col">Vulnerability</th><th scope="col">Package</th><th scope="col">Owner</th><th scope="col">Reason</th><th scope="col">Expires</th></tr></thead><tbody>
${report.exceptions.map(
  ({ id, package: name, owner, reason, expires, expired }) =>
    html`<tr><th scope="row" class="keep">${id}</th><td>${name ?? 'all'}</td><td>${owner}</td><td class="wrap">${reason}</td><td class="keep">${expires} ${expired && badge('expired', 'warn')}</td></tr>`,
)}</tbody></table></div>`;

/** The report as one page that asks for nothing else: no script, no font, no image from anywhere. */
export function renderHtml(report: Report): string {
  return `${
    html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${!report.verdict.scanned && 'Unscanned: '}CI images, ${minute(report.run.finishedAt)}</title>
<style>${raw(STYLE)}</style>
</head>
<body><main>
<p class="verdict ${toneOf(report)}">${report.verdict.sentence}</p>
<h1>Harness CI Image Factory, report of ${minute(report.run.finishedAt)}</h1>
${facts(report)}
<h2>Needs attention</h2>
${attention(report)}
<h2>Images</h2>
${report.images.length === 0 ? html`<p>None.</p>` : imagesTable(report)}
<h2>Harness account</h2>
${accounts(report)}
${exceptions(report)}
${report.images.length > 0 && html`<h2>Digests and evidence</h2>${trailTable(report)}`}
<footer>Counts are of distinct (vulnerability, package) pairs after exceptions, the highest of all platforms. The same data as JSON: <a href="report.json">report.json</a>.</footer>
</main></body>
</html>
`.text
  }`;
}
