import { processTerminal, type Terminal } from '../../src/cli/terminal.js';

export interface Screen extends Terminal {
  /** What standard output and standard error got so far. */
  out(): string;
  err(): string;
}

/** The product's terminal with two strings for streams; with `columns` it is one that a person looks at. */
export function screen(columns?: number, env: NodeJS.ProcessEnv = {}): Screen {
  const text = { out: '', err: '' };
  const stream = (name: keyof typeof text) => ({
    ...(columns === undefined ? {} : { isTTY: true, columns }),
    write: (part: string | Uint8Array) => {
      text[name] += String(part);
      return true;
    },
  });
  const terminal = processTerminal(stream('out'), stream('err'), env);
  return Object.assign(terminal, { out: () => text.out, err: () => text.err });
}
