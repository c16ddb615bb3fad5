/** An instruction of a Dockerfile, where it begins and what it says. */
export interface Instruction {
  /** In upper case: `RUN`. */
  keyword: string;
  /** What follows the keyword, continued lines joined. */
  rest: string;
  /** Of the text, from 1. */
  line: number;
}

const HEREDOC = /<<-?\s*(["']?)([A-Za-z_][A-Za-z0-9_]*)\1/g;
const TAKES_HEREDOC = new Set(['RUN', 'COPY', 'ADD']);

/**
 * The instructions of a Dockerfile's text (docs.docker.com, Dockerfile reference: comments, line continuation by `\`,
 * here-documents). It judges nothing: what is wrong is BuildKit's to say.
 */
export function instructionsOf(text: string): Instruction[] {
  const lines = text.split(/\r?\n/);
  const found: Instruction[] = [];
  for (let at = 0; at < lines.length; ) {
    const line = at + 1;
    const parts: string[] = [];
    for (let open = true; open && at < lines.length; at++) {
      const one = lines[at] ?? '';
      if (/^\s*(?:#|$)/.test(one)) {
        if (parts.length > 0) continue; // a comment or an empty line in between does not end it
        at++;
        break;
      }
      open = /\\\s*$/.test(one);
      parts.push(one.replace(/\\\s*$/, '').trim());
    }
    const [, keyword = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(parts.join(' ').trim()) ?? [];
    if (keyword === '') continue;
    const instruction = { keyword: keyword.toUpperCase(), rest, line };
    found.push(instruction);
    if (!TAKES_HEREDOC.has(instruction.keyword)) continue;
    for (const [, , end] of rest.matchAll(HEREDOC)) {
      while (at < lines.length && lines[at]?.trim() !== end) at++;
      at++;
    }
  }
  return found;
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
