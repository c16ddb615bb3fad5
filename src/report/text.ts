/** Messages come from registries and scanners too; none may blow up the report. */
export const clip = (text: string, length = 2000): string =>
  text.length > length ? `${text.slice(0, length)}…` : text;

/** Code-unit order, the same on every machine. */
export const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * Control characters and those that turn the direction of writing (Unicode UAX #9) are shown by number, so that a
 * hostile name can't pass for another.
 */
export const visible = (text: string): string =>
  text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `[U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}]`,
  );
