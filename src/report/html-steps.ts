import { badge, evidenceLink, heads, table } from './html-parts.js';
import { html, type Markup } from './markup.js';
import type { Report } from './schema.js';
import type { ReportTemplate } from './schema-parts.js';

/** Programs of templates: what ran where, and how it ended. */
export function stepsSection({ templateSteps, images }: Report): Markup | false {
  const all = [
    ...templateSteps.map((step) => ({ of: 'the run', step })),
    ...images.flatMap(({ image, templateSteps: own }) => own.map((step) => ({ of: image, step }))),
  ];
  if (all.length === 0) return false;
  return html`<h2>Steps of templates</h2>${table(
    'Steps of templates',
    heads('Step', 'Place', 'Of', 'How it ended', 'Output'),
    html`<tbody>${all.map(
      ({ of, step: { name, at, ok, message, ms, output } }) =>
        html`<tr><th scope="row">${name}</th><td class="keep">${at}</td><td class="wrap">${of}</td><td class="wrap">${badge(ok ? 'ok' : 'failed', ok ? 'good' : 'bad')} ${message}<small>${(ms / 1000).toFixed(1)} s</small></td><td>${output === null ? 'none' : evidenceLink(output.key, 'output')}</td></tr>`,
    )}</tbody>`,
    { stacks: true },
  )}`;
}

const template = (kind: string, { name, digest, text, file }: ReportTemplate): Markup =>
  html`<details><summary><strong>${name}</strong> <span>${kind}, ${digest}</span></summary>${
    text === null ? html`<p>Its text is not on record.</p>` : html`<pre tabindex="0">${text}</pre>`
  }${file !== null && html`<p>${evidenceLink(file.key, file.key)}</p>`}</details>`;

/** Both templates as they were when the run was resolved. */
export const templatesSection = ({ configuration }: Report): Markup | false =>
  configuration !== null &&
  html`<h2>Templates</h2>${template('gather-scan', configuration.gatherScanTemplate)}${template(
    'build-push',
    configuration.buildPushTemplate,
  )}`;
