import { createHash } from 'node:crypto';
import { imageCount } from '../common/count.js';
import { accountSection, canBeUndone } from './html-account.js';
import { changesSection } from './html-changes.js';
import { findingsSection } from './html-findings.js';
import { imagesTable, trailTable } from './html-images.js';
import { ageText, badge, digestText, evidenceLink, heads, minute, table } from './html-parts.js';
import { stepsSection, templatesSection } from './html-steps.js';
import { trafficSection } from './html-traffic.js';
import { html, type Markup, raw } from './markup.js';
import type { Report } from './schema.js';
import type { EvidenceFile } from './schema-parts.js';
import { SCRIPT } from './script.js';
import { STYLE } from './style.js';

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
${
  report.engine !== null &&
  fact(
    'Docker Engine',
    html`${report.engine.version}<small>builds ${report.engine.platforms.join(', ')}</small>`,
  )
}
${report.accounts.map((one) => fact(`Account, ${one.infra}`, html`${one.kind}<small><a href="#account">its fields${canBeUndone(one) && ', and how to undo it'}</a></small>`))}
</dl>`;
}

const attention = (report: Report): Markup =>
  report.needsAttention.length === 0
    ? html`<p>Nothing.</p>`
    : table(
        'Needs attention',
        heads('What', 'Where', 'Why, and what to do'),
        html`<tbody>${report.needsAttention.map(
          ({ kind, level, subject, text }) =>
            html`<tr><td class="keep">${badge(kind.replaceAll('-', ' '), level === 'error' ? 'bad' : 'warn')}</td><th scope="row" class="wrap">${subject}</th><td class="wrap">${text}</td></tr>`,
        )}</tbody>`,
        { stacks: true },
      );

const exceptions = (report: Report): Markup | false =>
  report.exceptions.length > 0 &&
  html`<h2>Exceptions of the policy</h2>${table(
    'Exceptions of the policy',
    heads('Vulnerability', 'Package', 'Owner', 'Reason', 'Expires'),
    html`<tbody>${report.exceptions.map(
      ({ id, package: name, owner, reason, expires, expired }) =>
        html`<tr><th scope="row" class="keep">${id}</th><td>${name ?? 'all'}</td><td>${owner}</td><td class="wrap">${reason}</td><td class="keep">${expires} ${expired && badge('expired', 'warn')}</td></tr>`,
    )}</tbody>`,
  )}`;

const evidence = (files: readonly EvidenceFile[]): Markup | false =>
  files.length > 0 &&
  html`<h2>Evidence</h2><p>Every file that this report rests on, by its place in the evidence store and the hash of its bytes.</p>${table(
    'Evidence',
    heads('File', 'What it is', 'SHA-256'),
    html`<tbody>${files.map(
      ({ what, key, digest }) =>
        html`<tr><th scope="row" class="wrap">${evidenceLink(key, key)}</th><td>${what}</td><td>${digestText(digest)}</td></tr>`,
    )}</tbody>`,
  )}`;

/** Shown by the script alone: without one there is nothing to filter with. */
const filters = (report: Report): Markup => html`<div class="tools" id="tools" hidden>
<label>Filter <input type="search" id="text" placeholder="image, package, vulnerability" autocomplete="off"></label>
<label>Outcome <select id="outcome"><option value="">all</option></select></label>
<span role="status" id="shown">${imageCount(report.images.length)}</span></div>`;

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
/** The page's own style and script and nothing else, whatever a hostile name might get into it. */
const POLICY = `default-src 'none'; style-src ${hashOf(STYLE)}; script-src ${hashOf(SCRIPT)}; base-uri 'none'; form-action 'none'`;

/**
 * The report as one page that asks for nothing else: no font, no image from anywhere. It is whole without its script,
 * which only filters, sorts and copies.
 *
 * @param files further evidence to list: what is written beside the page
 */
export function renderHtml(report: Report, files: readonly EvidenceFile[] = []): string {
  return `${
    html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${raw(POLICY)}">
<meta name="color-scheme" content="light dark">
<title>${!report.verdict.scanned && 'Unscanned: '}CI images, ${minute(report.run.finishedAt)}</title>
<style>${raw(STYLE)}</style>
</head>
<body><main>
<p class="verdict ${toneOf(report)}">${report.verdict.sentence}</p>
<h1>Harness CI Image Factory, report of ${minute(report.run.finishedAt)}</h1>
${facts(report)}
<h2>Needs attention</h2>
${attention(report)}
<h2>Changed since the last run</h2>
${changesSection(report)}
<h2>Images</h2>
${report.images.length === 0 ? html`<p>None.</p>` : html`${filters(report)}${imagesTable(report)}`}
<h2>Findings</h2>
${findingsSection(report)}
<h2 id="account">Harness account</h2>
${accountSection(report)}
${stepsSection(report)}
${exceptions(report)}
${report.images.length > 0 && html`<h2>Digests</h2>${trailTable(report)}`}
<h2>Traffic with registries</h2>
${trafficSection(report)}
${templatesSection(report)}
${evidence([...files, ...report.evidence])}
<footer>Counts of images are of distinct (vulnerability, package) pairs after exceptions, the highest of all platforms. The same data for programs: <a href="report.json">report.json</a>, <a href="report.csv">report.csv</a>, <a href="report.sarif">report.sarif</a>.</footer>
</main><script>${raw(SCRIPT)}</script></body>
</html>
`.text
  }`;
}
