import { visible } from './text.js';

/** Markup that is safe to put into a page as it is; only {@link html} and {@link raw} make it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Child = Markup | string | number | null | undefined | false | readonly Child[];

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for elements and quoted attributes. */
export const escapeText = (text: string): string =>
  visible(text).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);

function render(child: Child): string {
  if (child === null || child === undefined || child === false) return '';
  if (child instanceof Markup) return child.text;
  if (typeof child === 'string') return escapeText(child);
  if (typeof child === 'number') return String(child);
  return child.map(render).join('');
}

/** Builds markup; whatever is put in is escaped unless it is markup itself. */
export const html = (strings: TemplateStringsArray, ...children: readonly Child[]): Markup =>
  new Markup(strings.map((part, index) => part + render(children[index])).join(''));

/** Our own constant text (the style sheet), taken as it is. */
export const raw = (text: string): Markup => new Markup(text);
