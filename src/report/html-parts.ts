import { type Child, html, type Markup } from './markup.js';

export type Tone = 'good' | 'warn' | 'bad' | 'note' | 'idle';

/** Colour is never alone: each tone has its sign, and each badge its word. */
const SIGNS: Record<Tone, string> = { good: '✓', warn: '!', bad: '✗', note: '–', idle: '=' };

export const badge = (word: string, tone: Tone): Markup =>
  html`<span class="badge ${tone}"><span aria-hidden="true">${SIGNS[tone]} </span>${word}</span>`;

/** A whole digest, to be selected with one click, and copied with one where there is script. */
export const digestText = (digest: string | null): Markup =>
  digest === null ? html`<small>none</small>` : html`<code class="copy">${digest}</code>`;

/**
 * A table that scrolls in itself where the window is narrow; by keyboard too, so it can be focused.
 *
 * @param stacks on a phone its cells stand below each other instead: for tables whose cells speak for themselves
 */
export const table = (
  label: string,
  head: Child,
  body: Child,
  { id, stacks = false }: { id?: string; stacks?: boolean } = {},
): Markup =>
  html`<div class="scroll" tabindex="0" role="region" aria-label="${label}"><table${
    id !== undefined && html` id="${id}"`
  }${stacks && html` class="stacks"`}><thead><tr>${head}</tr></thead>${body}</table></div>`;

/** Column heads; a name that begins with `#` is of a column of numbers. */
export const heads = (...names: readonly string[]): Markup =>
  html`${names.map((name) =>
    name.startsWith('#')
      ? html`<th scope="col" class="number">${name.slice(1)}</th>`
      : html`<th scope="col">${name}</th>`,
  )}`;

/** `3 h`, `12 d`. */
export const ageText = (hours: number): string =>
  hours < 1 ? 'under 1 h' : hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} d`;

export const minute = (time: string): string => `${time.slice(0, 16).replace('T', ' ')} UTC`;

/** A key of the evidence store, seen from `runs/<id>/report.html`; a key of another shape is shown, never linked. */
export const evidenceLink = (key: string, text: string): Markup =>
  /^[A-Za-z0-9_-][A-Za-z0-9._/-]*$/.test(key) && !key.includes('..')
    ? html`<a href="../../${key}">${text}</a>`
    : html`${text}`;
