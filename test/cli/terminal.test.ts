import { describe, expect, it } from 'vitest';
import { duration, table, wrap } from '../../src/cli/terminal.js';
import { screen } from './screen.js';

const ESCAPE = '\u001b';

describe('a terminal', () => {
  it('has colours where a person looks and wants them', () => {
    expect(screen(80).paint('red', 'no')).toBe(`${ESCAPE}[31mno${ESCAPE}[0m`);
    for (const plain of [screen(), screen(80, { NO_COLOR: '1' }), screen(80, { TERM: 'dumb' })]) {
      expect(plain.paint('red', 'no')).toBe('no');
    }
  });

  it('is as wide as it is, and a file without end', () => {
    expect(screen(80).columns).toBe(80);
    expect(screen().columns).toBe(Number.POSITIVE_INFINITY);
  });

  it('gets JSON on standard output and errors on the other', () => {
    const terminal = screen();
    terminal.error('a hint');
    terminal.json({ counts: { mirrored: 1 } });
    expect(JSON.parse(terminal.out())).toEqual({ counts: { mirrored: 1 } });
    expect(terminal.err()).toBe('a hint\n');
  });
});

describe('a table', () => {
  it('has columns as wide as their widest cell, colours not counted', () => {
    expect(table([['a', `${ESCAPE}[1mbc${ESCAPE}[0m`, 'x'], ['long', 'd', 'y'], ['e']])).toEqual([
      `a     ${ESCAPE}[1mbc${ESCAPE}[0m  x`,
      'long  d   y',
      'e',
    ]);
  });
});

describe('a table in a narrow terminal', () => {
  it('goes on below in its last column', () => {
    expect(table([['image', 'the registry does not have it']], 32)).toEqual([
      'image  the registry does not',
      '       have it',
    ]);
  });
});

describe('a long text', () => {
  it('is broken between words', () => {
    expect(wrap('one two three', 7)).toEqual(['one two', 'three']);
    expect(wrap('a unbreakable b', 5)).toEqual(['a', 'unbreakable', 'b']);
    expect(wrap('as it is', Number.POSITIVE_INFINITY)).toEqual(['as it is']);
  });
});

describe('a duration', () => {
  it.each([
    [0, '0 ms'],
    [839.6, '840 ms'],
    [3210, '3.2 s'],
    [59_960, '1 m 0 s'],
    [119_700, '2 m 0 s'],
    [130_000, '2 m 10 s'],
  ])('of %d ms is %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});
