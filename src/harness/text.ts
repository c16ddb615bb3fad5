/** Shapes of a Harness key (`pat.<account>.<token id>.<secret>`), whichever key it is. */
const KEY = /\b[ps]at\.[\w-]+(?:\.[\w-]+)+/g;
/** What could forge a line in a log or hide text in a terminal: controls, format characters, line separators. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu;

/**
 * Someone else's text made fit for a message: one line, at most `max` characters, nothing that looks like a key.
 *
 * @param secret the key in use, taken out wherever it appears (a proxy may echo a request's headers).
 */
export function plain(text: string, secret: string, max = 200): string {
  // Cut before the expressions run, so that a megabyte of text costs nothing.
  let line = text.slice(0, 16 * max);
  if (secret !== '') line = line.replaceAll(secret, '[key]');
  line = line.replace(KEY, '[key]').replace(UNSEEN, ' ').trim();
  return line.length > max ? `${line.slice(0, max - 1)}…` : line;
}

/** The title of an HTML page, undefined when the text is no page; an empty string when it has no short one. */
export function htmlTitle(text: string, secret: string): string | undefined {
  const head = text.slice(0, 16 * 1024);
  if (!/^\s*(?:<!--.*?-->\s*)?<(?:!doctype html|html|head|body)\b/is.test(head)) return undefined;
  const title = /<title[^>]*>([^<]*)<\/title>/i.exec(head)?.[1] ?? '';
  const line = plain(title, secret, 100);
  return line.length <= 80 ? line : '';
}
