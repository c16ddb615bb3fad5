/** An instruction of a Dockerfile, where it begins and what it says. */
export interface Instruction {
  /** In upper case: `RUN`. */
  keyword: string;
  /** What follows the keyword, continued lines joined. */
  rest: string;
  /** Of the text, from 1. */
  line: number;
}

const HEREDOC = /<<(-?)(["']?)([A-Za-z_][A-Za-z0-9_]*)\2/g;
/** Quoted text, but not a here-document's quoted name. */
const QUOTED = /(?<!<<-?)(["'])(?:(?!\1).)*\1/g;
const TAKES_HEREDOC = new Set(['RUN', 'COPY', 'ADD']);

/**
 * The instructions of a Dockerfile's text (docs.docker.com, Dockerfile reference: comments, line continuation by `\`,
 * here-documents). It judges nothing: what is wrong is BuildKit's to say.
 */
export function instructionsOf(whole: string): Instruction[] {
  const lines = whole.split(/\r?\n/);
  const found: Instruction[] = [];
  for (let at = 0; at < lines.length; ) {
    const line = at + 1;
    let text = '';
    for (let open = true; open && at < lines.length; at++) {
      const one = lines[at] ?? '';
      if (/^\s*(?:#|$)/.test(one)) {
        if (text !== '') continue; // a comment or an empty line in between does not end it
        at++;
        break;
      }
      open = /\\\s*$/.test(one);
      text = joined(text, one.replace(/\\\s*$/, ''));
    }
    const [, keyword = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(text.trim()) ?? [];
    if (keyword === '') continue;
    const instruction = { keyword: keyword.toUpperCase(), rest, line };
    found.push(instruction);
    if (!TAKES_HEREDOC.has(instruction.keyword)) continue;
    for (const [, dash, , name] of rest.replace(QUOTED, '').matchAll(HEREDOC)) {
      const end = lines.findIndex(
        (one, n) => n >= at && (dash === '' ? one : one.replace(/^\t+/, '')) === name,
      );
      if (end < 0) break; // it has no end, so it is none
      at = end + 1;
    }
  }
  return found;
}

/** A line and the one that it goes on with. BuildKit puts nothing in between: `RU\\`, `N true` is an instruction too. */
function joined(text: string, next: string): string {
  if (text === '') return next.trimStart();
  const spaced = /\s$/.test(text) || /^\s/.test(next);
  return `${text.trimEnd()}${spaced ? ' ' : ''}${next.trimStart()}`;
}

/** Those that are a step in BuildKit's count, `[2/4]`; the first step is `FROM`. */
const COUNTED = new Set(['RUN', 'COPY', 'ADD', 'WORKDIR']);

/** The instruction that a step of BuildKit's was made from, by its name such as `[2/3] RUN make`. */
export function instructionOf(
  stepName: string,
  instructions: readonly Instruction[],
): Instruction | undefined {
  const [, count, keyword = ''] = /^\[(?:[^\]]*\s)?(\d+)\/\d+\]\s+(\w+)/.exec(stepName) ?? [];
  if (count === undefined) return undefined;
  const steps = instructions.filter((one) => COUNTED.has(one.keyword));
  const counted = steps[Number(count) - 2];
  return counted?.keyword === keyword.toUpperCase() ? counted : undefined;
}
