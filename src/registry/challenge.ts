/** One challenge of a `WWW-Authenticate` header. Scheme and parameter names are in lower case. */
export interface Challenge {
  scheme: string;
  parameters: ReadonlyMap<string, string>;
}

// RFC 9110, 5.6.2 (token), 5.6.4 (quoted-string), 11.2 (token68). Sticky, so that one pass reads the header.
const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const TOKEN68 = /[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/suy;
const EQUALS = /[ \t]*=[ \t]*/y;
const SPACE = /[ \t]+/y;
const END = /(?=,|$)/y;
const SEPARATOR = /[ \t]*(?:,[ \t]*)*/y;
/** Longer headers are not read: no registry needs them, and the header comes from outside. */
const MAX_HEADER = 16 * 1024;

/**
 * Reads the value of `WWW-Authenticate` (RFC 9110, section 11.6.1): several challenges, in one header or joined with
 * commas. What can't be read ends the list; the challenges before it count.
 */
export function parseChallenges(header: string): Challenge[] {
  const text = header.slice(0, MAX_HEADER);
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  /** `name = value`, or nothing (and no step forward) when what comes is the scheme of the next challenge. */
  const parameter = (): [string, string] | null => {
    const start = at;
    const name = take(TOKEN)?.[0];
    if (name !== undefined && take(EQUALS) !== null) {
      const quoted = take(QUOTED)?.[1];
      const value = quoted === undefined ? take(TOKEN)?.[0] : quoted.replace(/\\(.)/gsu, '$1');
      if (value !== undefined) return [name.toLowerCase(), value];
    }
    at = start;
    return null;
  };

  const challenges: Challenge[] = [];
  for (;;) {
    take(SEPARATOR);
    const scheme = take(TOKEN)?.[0];
    if (scheme === undefined) return challenges;
    const bare = take(SPACE) === null;
    if (bare && take(END) === null) return challenges;
    const parameters = new Map<string, string>();
    challenges.push({ scheme: scheme.toLowerCase(), parameters });
    if (bare || take(TOKEN68) !== null) continue;
    for (let next = parameter(); next !== null; next = parameter()) {
      // RFC 9110, 11.2: each name once; the first one counts.
      if (!parameters.has(next[0])) parameters.set(next[0], next[1]);
      take(SEPARATOR);
    }
  }
}
