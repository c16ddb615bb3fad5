import { stripVTControlCharacters } from 'node:util';

/** Of what a program prints, this much of the beginning and of the end is kept, in bytes. */
const KEPT = 32 * 1024;
/** Shorter values are words that are all over what anybody prints. */
const MIN_SECRET = 4;
/** An escape sequence that the cut goes through lies in the margin too. */
const MIN_MARGIN = 512;
const HIDDEN = '***';

/** What a program prints, in bounded memory: the beginning and the end, without secrets and control characters. */
export class Output {
  readonly #secrets: RegExp | undefined;
  /** So much beside each end is held, and not shown: a secret that the cut goes through is known by it. */
  readonly #margin: number;
  readonly #head: Buffer[] = [];
  #headBytes = 0;
  #tail: Buffer[] = [];
  #tailBytes = 0;
  #bytes = 0;

  /** @param secrets values that must not be in {@link text}, as they are or as JSON, URLs and base64 have them */
  constructor(secrets: readonly string[]) {
    const forms = [...new Set(secrets.filter((one) => one.length >= MIN_SECRET).flatMap(formsOf))];
    this.#margin = Math.max(MIN_MARGIN, ...forms.map((form) => Buffer.byteLength(form)));
    // The longest first: one may be the beginning of another.
    const sorted = forms.sort((a, b) => b.length - a.length).map(escaped);
    this.#secrets = sorted.length === 0 ? undefined : new RegExp(sorted.join('|'), 'g');
  }

  write(chunk: Buffer): void {
    this.#bytes += chunk.length;
    const room = KEPT + this.#margin - this.#headBytes;
    const head = chunk.subarray(0, Math.max(0, room));
    if (head.length > 0) this.#head.push(head);
    this.#headBytes += head.length;
    const rest = chunk.subarray(head.length);
    if (rest.length === 0) return;
    this.#tail.push(rest);
    this.#tailBytes += rest.length;
    // Joined now and then, not for every line.
    if (this.#tailBytes > 4 * (KEPT + this.#margin)) this.#cutTail();
  }

  /** What is kept of it. */
  text(): string {
    this.#cutTail();
    const head = Buffer.concat(this.#head);
    const tail = Buffer.concat(this.#tail);
    const left = this.#bytes - head.length - tail.length;
    if (left === 0) return this.#hide(plain(Buffer.concat([head, tail])));
    const begin = plain(head);
    const end = plain(tail);
    const shown = [
      this.#hideBefore(begin, Math.max(0, begin.length - this.#margin)),
      this.#hideAfter(end, Math.min(end.length, this.#margin)),
    ];
    return shown.join(`\n[… about ${Math.ceil((left + 2 * this.#margin) / 1024)} KiB are left out …]\n`);
  }

  #cutTail(): void {
    const all = Buffer.concat(this.#tail);
    const cut = all.subarray(Math.max(0, all.length - KEPT - this.#margin));
    this.#tail = [cut];
    this.#tailBytes = cut.length;
  }

  #hide(text: string): string {
    return this.#secrets === undefined ? text : text.replace(this.#secrets, HIDDEN);
  }

  #matches(text: string): { from: number; to: number }[] {
    if (this.#secrets === undefined) return [];
    return [...text.matchAll(this.#secrets)].map(({ index, 0: match }) => ({
      from: index,
      to: index + match.length,
    }));
  }

  /** The text before a place; a secret that begins before it and ends after it is hidden as well. */
  #hideBefore(text: string, place: number): string {
    const across = this.#matches(text).find(({ from, to }) => from < place && to > place);
    return this.#hide(text.slice(0, across?.to ?? place));
  }

  #hideAfter(text: string, place: number): string {
    const across = this.#matches(text).find(({ from, to }) => from < place && to > place);
    return this.#hide(text.slice(across?.from ?? place));
  }
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** How a value may be printed. Of one with several lines, each line is a secret too. */
const formsOf = (value: string): string[] =>
  [
    plainText(value),
    ...value.split(/\r?\n/).filter((line) => line.length >= 16),
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value),
    Buffer.from(value).toString('base64'),
  ].filter((form) => form.length >= MIN_SECRET);

const plain = (bytes: Buffer): string => plainText(bytes.toString('utf8'));

/** Lines of text: no colours, no cursor that moves back over what was printed. */
const plainText = (text: string): string =>
  stripVTControlCharacters(text)
    .replace(/\r\n?/g, '\n')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '');

/** The last thing that was said, in one line of at most 200 characters; empty when nothing was. */
export const lastLine = (output: string): string =>
  output
    .split('\n')
    .map((line) => line.trim())
    .findLast((line) => line !== '')
    ?.slice(0, 200) ?? '';
