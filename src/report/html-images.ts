import type { Severity } from '../contract/verdict.js';
import { decidingOf, standingScan } from './deciding.js';
import { ageText, badge, digestText, evidenceLink, heads, type Tone, table } from './html-parts.js';
import { html, type Markup } from './markup.js';
import type { Report, ReportImage } from './schema.js';

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

type Scan = NonNullable<ReportImage['platforms'][number]['scan']>;

const STATES: Record<ReportImage['state'], string> = {
  create: 'new',
  update: 'changed',
  unchanged: 'as it was',
  'needs-scan': 'needed a scan',
  unresolved: 'not found',
};

const SHOWN: readonly Severity[] = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'];

/** Enough of a digest to tell two apart; the whole one is in the table below and in the tooltip. */
const short = (digest: string | null): Markup =>
  digest === null
    ? html`<small>none</small>`
    : html`<code title="${digest}">${digest.replace('sha256:', '').slice(0, 12)}</code>`;

const seconds = (ms: number): string => (ms < 950 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

/** The highest count of any platform: a sum would count one package twice. */
const worst = (image: ReportImage, of: 'counts' | 'fixable', severity: Severity): number =>
  Math.max(0, ...image.platforms.map((platform) => standingScan(platform)?.[of][severity] ?? 0));

function findings(image: ReportImage): Markup {
  const scans = image.platforms.flatMap((platform) => standingScan(platform) ?? []);
  if (scans.length === 0)
    return html`<td colspan="4">${decidingOf(image).verdict === null ? 'no scan on record' : 'details not on record'}</td>`;
  if (scans.every(({ status }) => status === 'not-scannable'))
    return html`<td colspan="4">${badge('not scannable', 'warn')}</td>`;
  return html`${SHOWN.map((severity) => {
    const count = worst(image, 'counts', severity);
    const fixable = worst(image, 'fixable', severity);
    return html`<td class="number${count === 0 ? ' zero' : ''}">${count}${fixable > 0 && html`<small>${fixable} fixable</small>`}</td>`;
  })}`;
}

/** The verdict that decided first, the other one below it. */
function decision(image: ReportImage): Markup {
  const { verdict: source, builtVerdict: built, platforms } = image;
  const { verdict } = decidingOf(image);
  if (verdict === null) return badge('unscanned', 'warn');
  const tone = { pass: 'good', warn: 'warn', block: 'bad' } as const;
  const suppressed = Math.max(0, ...platforms.map((platform) => standingScan(platform)?.suppressed ?? 0));
  const age = verdict.thisRun ? 'this run' : `${ageText(verdict.ageHours)} ago`;
  return html`${badge(verdict.decision, tone[verdict.decision])}<small>${age}</small>${
    built !== null &&
    html`<small>source: ${source?.decision ?? 'unscanned'}</small><small>after the build: ${built.decision}</small>`
  }${suppressed > 0 && html`<small>${suppressed} excepted</small>`}`;
}

function imageRow(image: ReportImage): Markup {
  const { word, tone } = OUTCOMES[image.outcome.kind];
  const took = image.steps.reduce((sum, { ms }) => sum + ms, 0);
  const quiet = image.outcome.kind === 'unchanged' || image.outcome.kind === 'mirrored';
  return html`<tr data-outcome="${word}">
<th scope="row" class="wrap">${image.image}<small>${image.fields.map(({ infra, field }) => `${infra} ${field}`).join(', ')}</small></th>
<td class="outcome">${badge(word, tone)} <small>${STATES[image.state]}${image.drift !== null && `, drift: ${image.drift}`}</small>${
    !quiet && html`<small>${image.outcome.note}</small>`
  }${took > 0 && html`<small>${seconds(took)}</small>`}</td>
<td>${decision(image)}</td>
${findings(image)}
<td class="platform">${image.platforms.map((one) => html`<div>${one.platform}${one.how === 'built' && html`<small>built</small>`}${standingScan(one)?.status === 'not-scannable' && html`<small>not scannable</small>`}</div>`)}${image.skippedPlatforms.map((platform) => html`<div>${platform}<small>left out</small></div>`)}</td>
<td class="keep">${short(image.sourceDigest)}</td>
<td class="keep">${short(image.targetDigest)}</td>
</tr>`;
}

/** The overview: one row an image. */
export const imagesTable = (report: Report): Markup =>
  table(
    'Images',
    heads(
      'Image and fields',
      'Outcome',
      'Scan',
      '#Critical',
      '#High',
      '#Medium',
      '#Low',
      'Platforms',
      'Source digest',
      'Target digest',
    ),
    html`<tbody>${report.images.map(imageRow)}</tbody>`,
    { id: 'images' },
  );

const scanText = ({ status, reason, evidence, others }: Scan): Markup =>
  html`${status === 'not-scannable' ? (reason ?? 'not scannable') : status}, ${evidenceLink(evidence.key, 'scanner output')}${others.map(
    (other) => html`, ${evidenceLink(other.evidence.key, other.scanner)}`,
  )}`;

/** A line with the names, as wide as the table, then one line a digest: a long name never squeezes the digests. */
function trailRows(image: ReportImage): Markup {
  const { verdict, builtVerdict } = image;
  const took = image.steps.map(({ step, ms }) => `${step} ${seconds(ms)}`).join(', ');
  return html`<tr><th scope="rowgroup" colspan="4" class="wrap">${image.target ?? image.image}<small>${
    image.source !== null && `from ${image.source}`
  }${took !== '' && `; ${took}`}${
    image.buildLog !== null && html`; ${evidenceLink(image.buildLog.key, 'build log')}`
  }</small></th></tr>
<tr><td class="platform">all</td><td class="digest">${digestText(image.sourceDigest)}</td><td class="digest">${digestText(image.targetDigest)}</td>
<td>${verdict !== null && html`${verdict.rule}<small>${verdict.scannedAt}</small>`}${
    builtVerdict !== null &&
    html`<div>after the build: ${builtVerdict.decision}, ${builtVerdict.rule}<small>${builtVerdict.scannedAt}</small></div>`
  }</td></tr>
${image.platforms.map(
  ({
    platform,
    sourceDigest,
    targetDigest,
    how,
    scan,
    builtScan,
  }) => html`<tr><td class="platform">${platform}${how === 'built' && html`<small>built</small>`}</td><td class="digest">${sourceDigest !== null && digestText(sourceDigest)}</td><td class="digest">${targetDigest !== null && digestText(targetDigest)}</td>
<td>${scan !== null && scanText(scan)}${builtScan !== null && html`<div>after the build: ${scanText(builtScan)}</div>`}</td></tr>`,
)}`;
}

/** The audit trail: every digest in full. */
export const trailTable = (report: Report): Markup =>
  table(
    'Digests',
    heads('Platform', 'Source digest', 'Target digest', 'Verdict and evidence'),
    html`${report.images.map((image) => html`<tbody>${trailRows(image)}</tbody>`)}`,
    { id: 'digests', stacks: true },
  );
