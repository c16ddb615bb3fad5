import type { Severity } from '../contract/verdict.js';
import { html, type Markup } from './markup.js';
import type { Report, ReportImage } from './schema.js';

type Tone = 'good' | 'warn' | 'bad' | 'note' | 'idle';

const OUTCOMES: Record<ReportImage['outcome']['kind'], { word: string; tone: Tone }> = {
  mirrored: { word: 'mirrored', tone: 'good' },
  rescanned: { word: 'scanned', tone: 'good' },
  unchanged: { word: 'unchanged', tone: 'idle' },
  blocked: { word: 'blocked', tone: 'bad' },
  failed: { word: 'failed', tone: 'bad' },
  unresolved: { word: 'unresolved', tone: 'bad' },
  skipped: { word: 'skipped', tone: 'note' },
  cancelled: { word: 'left undone', tone: 'note' },
};

const STATES: Record<ReportImage['state'], string> = {
  create: 'new',
  update: 'changed',
  unchanged: 'as it was',
  'needs-scan': 'needed a scan',
  unresolved: 'not found',
};

const SHOWN: readonly Severity[] = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'];

export const badge = (word: string, tone: Tone): Markup => html`<span class="badge ${tone}">${word}</span>`;

/** Enough of a digest to tell two apart; the whole one is in the table below and in the tooltip. */
const short = (digest: string | null): Markup =>
  digest === null
    ? html`<small>none</small>`
    : html`<code title="${digest}">${digest.replace('sha256:', '').slice(0, 12)}</code>`;

/** `3 h`, `12 d`. */
export const ageText = (hours: number): string =>
  hours < 1 ? 'under 1 h' : hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} d`;

const seconds = (ms: number): string => (ms < 950 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

/** A key of the evidence store, seen from `runs/<id>/report.html`; a key of another shape is shown, never linked. */
export const evidenceLink = (key: string, text: string): Markup =>
  /^[A-Za-z0-9_-][A-Za-z0-9._/-]*$/.test(key) && !key.includes('..')
    ? html`<a href="../../${key}">${text}</a>`
    : html`${text}`;

/** The highest count of any platform: a sum would count one package twice. */
const worst = (image: ReportImage, of: 'counts' | 'fixable', severity: Severity): number =>
  Math.max(0, ...image.platforms.map(({ scan }) => scan?.[of][severity] ?? 0));

function findings(image: ReportImage): Markup {
  const scans = image.platforms.flatMap(({ scan }) => (scan === null ? [] : [scan]));
  if (scans.length === 0)
    return html`<td colspan="4">${image.verdict === null ? 'no scan on record' : 'details not on record'}</td>`;
  if (scans.every(({ status }) => status === 'not-scannable'))
    return html`<td colspan="4">${badge('not scannable', 'warn')}</td>`;
  return html`${SHOWN.map((severity) => {
    const count = worst(image, 'counts', severity);
    const fixable = worst(image, 'fixable', severity);
    return html`<td class="number${count === 0 ? ' zero' : ''}">${count}${fixable > 0 && html`<small>${fixable} fixable</small>`}</td>`;
  })}`;
}

function decision({ verdict, platforms }: ReportImage): Markup {
  if (verdict === null) return badge('unscanned', 'warn');
  const tone = { pass: 'good', warn: 'warn', block: 'bad' } as const;
  const suppressed = Math.max(0, ...platforms.map(({ scan }) => scan?.suppressed ?? 0));
  return html`${badge(verdict.decision, tone[verdict.decision])}<small>${
    verdict.thisRun ? 'this run' : `${ageText(verdict.ageHours)} ago`
  }</small>${suppressed > 0 && html`<small>${suppressed} excepted</small>`}`;
}

function imageRow(image: ReportImage): Markup {
  const { word, tone } = OUTCOMES[image.outcome.kind];
  const took = image.steps.reduce((sum, { ms }) => sum + ms, 0);
  const quiet = image.outcome.kind === 'unchanged' || image.outcome.kind === 'mirrored';
  return html`<tr>
<th scope="row" class="wrap">${image.image}<small>${image.fields.map(({ infra, field }) => `${infra} ${field}`).join(', ')}</small></th>
<td class="wrap">${badge(word, tone)} <small>${STATES[image.state]}${image.drift !== null && `, drift: ${image.drift}`}</small>${
    !quiet && html`<small>${image.outcome.note}</small>`
  }${took > 0 && html`<small>${seconds(took)}</small>`}</td>
<td>${decision(image)}</td>
${findings(image)}
<td class="keep">${image.platforms.map(({ platform, scan }) => html`<div>${platform}${scan?.status === 'not-scannable' && html`<small>not scannable</small>`}</div>`)}</td>
<td class="keep">${short(image.sourceDigest)}</td>
<td class="keep">${short(image.targetDigest)}</td>
</tr>`;
}

/** The overview: one row an image. */
export const imagesTable = (report: Report): Markup => html`<div class="scroll"><table>
<thead><tr><th scope="col">Image and fields</th><th scope="col">Outcome</th><th scope="col">Scan</th><th scope="col" class="number">Critical</th><th scope="col" class="number">High</th><th scope="col" class="number">Medium</th><th scope="col" class="number">Low</th><th scope="col">Platforms</th><th scope="col">Source digest</th><th scope="col">Target digest</th></tr></thead>
<tbody>${report.images.map(imageRow)}</tbody></table></div>`;

/** A line with the names, as wide as the table, then one line a digest: a long name never squeezes the digests. */
function trailRows(image: ReportImage): Markup {
  const { verdict } = image;
  const took = image.steps.map(({ step, ms }) => `${step} ${seconds(ms)}`).join(', ');
  return html`<tr><th scope="rowgroup" colspan="4" class="wrap">${image.target ?? image.image}<small>${
    image.source !== null && `from ${image.source}`
  }${took !== '' && `; ${took}`}</small></th></tr>
<tr><td class="keep">all</td><td><code>${image.sourceDigest ?? 'none'}</code></td><td><code>${image.targetDigest ?? 'none'}</code></td>
<td>${verdict !== null && html`${verdict.rule}<small>${verdict.scannedAt}</small>`}</td></tr>
${image.platforms.map(
  ({
    platform,
    sourceDigest,
    targetDigest,
    scan,
  }) => html`<tr><td class="keep">${platform}</td><td><code>${sourceDigest ?? ''}</code></td><td><code>${targetDigest ?? ''}</code></td>
<td>${scan !== null && html`${scan.status === 'not-scannable' ? (scan.reason ?? 'not scannable') : scan.status}, ${evidenceLink(scan.evidence.key, 'scanner output')}`}</td></tr>`,
)}`;
}

/** The audit trail: every digest in full. */
export const trailTable = (report: Report): Markup => html`<div class="scroll"><table>
<thead><tr><th scope="col">Platform</th><th scope="col">Source digest</th><th scope="col">Target digest</th><th scope="col">Verdict and evidence</th></tr></thead>
${report.images.map((image) => html`<tbody>${trailRows(image)}</tbody>`)}</table></div>`;
