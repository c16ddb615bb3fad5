// What a terminal takes for commands: CSI, OSC with its text, and two-character escapes (ECMA-48).
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it finds
const ESCAPES = /\u001b\[[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[ -/]*[0-~]?/g;
// C0 but for tab and line feed, DEL and C1; and what turns the direction of text around (UAX 9).
// biome-ignore lint/suspicious/noControlCharactersInRegex: the same
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** Text that does nothing to a terminal or a reader's eyes: no escape sequences, no control characters. */
export const withoutControls = (text: string): string => text.replace(ESCAPES, '').replace(CONTROLS, '');

/** One line of such text, cut to so many characters. */
export function plainText(text: string, maxLength: number): string {
  const line = withoutControls(text.replace(/\s+/g, ' ')).trim();
  return line.length <= maxLength ? line : `${line.slice(0, maxLength - 1)}…`;
}
