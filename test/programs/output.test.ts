import { describe, expect, it } from 'vitest';
import { lastLine, Output } from '../../src/programs/output.js';

const KEPT = 32 * 1024;

/** What is kept of a text that came in chunks of this size. */
function kept(text: string, { secrets = [] as string[], chunk = 1000 } = {}): string {
  const output = new Output(secrets);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += chunk) output.write(bytes.subarray(at, at + chunk));
  return output.text();
}

describe('what a program prints', () => {
  it.each([1, 7, 100_000])('is kept whole when it is short (chunks of %i)', (chunk) => {
    expect(kept('a line\nwith ünïcode\n', { chunk })).toBe('a line\nwith ünïcode\n');
    expect(kept('', { chunk })).toBe('');
  });

  it('is its beginning and its end when it is long, in little memory', () => {
    const lines = Array.from({ length: 200_000 }, (_, n) => `line ${n}\n`).join('');
    const text = kept(lines, { chunk: 65_536 });
    expect(text.startsWith('line 0\nline 1\n')).toBe(true);
    expect(text.endsWith('line 199998\nline 199999\n')).toBe(true);
    expect(text).toMatch(/\n\[… about \d{4} KiB are left out …\]\n/);
    expect(text.length).toBeLessThan(2 * KEPT + 200);
  });

  it.each([1, 997, 8192])('has no secret in it, also where it is cut (chunks of %i)', (chunk) => {
    const secret = 'S3CR3T-of-the-worker';
    // Over every place of the cut in the beginning and in the end, some offset has a secret lie across it.
    for (let offset = 0; offset < secret.length + 12; offset += 3) {
      const line = `${secret}.\n`;
      const text = kept('x'.repeat(offset) + line.repeat(Math.ceil(120_000 / line.length)), {
        secrets: [secret],
        chunk,
      });
      for (let from = 0; from + 5 <= secret.length; from++)
        expect(text).not.toContain(secret.slice(from, from + 5));
      expect(text).toContain('***');
    }
  });

  it('hides a secret in the ways that programs write it', () => {
    const secret = 'p"ss wörd/+';
    const text = kept(
      [
        secret,
        JSON.stringify({ secret }),
        encodeURIComponent(secret),
        Buffer.from(secret).toString('base64'),
      ].join('\n'),
      { secrets: [secret] },
    );
    expect(text).toBe('***\n{"secret":"***"}\n***\n***');
  });

  it('hides the longer of two of which one begins the other', () => {
    expect(kept('abcd-1234 abcd', { secrets: ['abcd', 'abcd-1234'] })).toBe('*** ***');
  });

  it('shows what is too short to be a secret, for nothing would be left', () => {
    expect(kept('1 is 1', { secrets: ['1', ''] })).toBe('1 is 1');
  });

  it('moves no cursor, has no colours and turns no writing around', () => {
    const hostile =
      '\u001b[2J\u001b[31mred\u001b[0m\r\nover\rwritten\u0007\u0000\u009b2K \u202egnp.exe\ttab\n';
    expect(kept(hostile, { chunk: 3 })).toBe('red\nover\nwritten gnp.exe\ttab\n');
  });

  it('can’t hide a secret from us between control characters', () => {
    expect(kept('S3C\u0000R3T\u001b[0m-1', { secrets: ['S3CR3T-1'] })).toBe('***');
  });

  it('ends with its last word', () => {
    expect(lastLine('one\n two \n\n  \n')).toBe('two');
    expect(lastLine('\n')).toBe('');
    expect(lastLine('x'.repeat(500))).toHaveLength(200);
  });
});
