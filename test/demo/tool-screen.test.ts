import { describe, expect, it } from 'vitest';
import { duration, toolScreen } from '../../src/demo/tools/screen.js';

const begun = {
  tool: 'temporal 1.5.1',
  state: 'working',
  what: 'go install temporal@v1.5.1',
  elapsedMs: 2,
} as const;
const done = { ...begun, state: 'ready', elapsedMs: 130_000 } as const;

describe('what the tool cache shows', () => {
  it('is a line when a tool begins and one when it is there, where the output is no terminal', () => {
    const writes: string[] = [];
    const screen = toolScreen({ write: (chunk: string | Uint8Array) => writes.push(String(chunk)) > 0 });
    screen.report(begun);
    screen.report(done);
    screen.end();
    expect(writes.join('')).toBe(
      '… temporal 1.5.1: go install temporal@v1.5.1 (2 ms)\n✓ temporal 1.5.1: go install temporal@v1.5.1 (2 m 10 s)\n',
    );
  });

  it('is redrawn in place on a terminal, each line cut to its width', () => {
    const writes: string[] = [];
    const write = (chunk: string | Uint8Array) => writes.push(String(chunk)) > 0;
    const screen = toolScreen({ write, isTTY: true, columns: 30 });
    screen.report(begun);
    screen.report(done);
    screen.end();
    expect(writes[0]).toBe('\u001b[2K… temporal 1.5.1: go install \n');
    expect(writes[1]).toBe('\u001b[1A\u001b[2K✓ temporal 1.5.1: go install \n');
  });

  it.each([
    [800, '800 ms'],
    [12_400, '12 s'],
    [119_700, '2 m 0 s'],
    [130_000, '2 m 10 s'],
  ])('writes %i ms as %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});
