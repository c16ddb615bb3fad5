import { describe, expect, it } from 'vitest';
import { BuildLog } from '../../src/engines/buildkit/build-log.js';
import { instructionOf, instructionsOf } from '../../src/engines/buildkit/instructions.js';
import { newName, readName } from '../../src/engines/buildkit/names.js';
import { plainText, withoutControls } from '../../src/engines/buildkit/plain-text.js';
import { wireFields } from '../../src/engines/buildkit/protobuf.js';
import { readTrace } from '../../src/engines/buildkit/trace.js';
import { digestOf } from '../../src/registry/digest.js';

describe('the instructions of a dockerfile', () => {
  it('begin where their line is, continued lines and here-documents and all', () => {
    const text = [
      '# a comment',
      '',
      'env A=b \\',
      '  # in between',
      '',
      '  C=d',
      'RUN <<EOF cat && \\',
      '  true',
      'USER nobody',
      'EOF',
      'COPY <<-"ONE" <<TWO /dir/',
      'RUN no instruction',
      '\tONE',
      'CMD neither',
      'TWO',
      '  CMD ["x"]',
      'RUN true \\',
    ].join('\n');
    expect(instructionsOf(text).map(({ keyword, line }) => `${line} ${keyword}`)).toEqual([
      '3 ENV',
      '7 RUN',
      '11 COPY',
      '16 CMD',
      '17 RUN',
    ]);
    expect(instructionsOf(text)[0]?.rest).toBe('A=b C=d');
    expect(instructionsOf('')).toEqual([]);
    expect(instructionsOf('RUN a\r\nUSER b\r\n').map(({ keyword, rest }) => [keyword, rest])).toEqual([
      ['RUN', 'a'],
      ['USER', 'b'],
    ]);
  });

  it('are found by the names of BuildKit’s steps', () => {
    const all = instructionsOf('ENV A=b\nRUN one\nUSER x\nRUN two\nCOPY a b');
    const lineOf = (step: string) => instructionOf(step, all)?.line;
    expect(lineOf('[2/4] RUN one')).toBe(2);
    expect(lineOf('[linux/arm64 3/4] RUN two')).toBe(4);
    expect(lineOf('[ 4/4] COPY a b')).toBe(5);
    expect(lineOf('[1/4] FROM image-factory.local/x')).toBeUndefined();
    expect(lineOf('[internal] load metadata')).toBeUndefined();
    expect(lineOf('[4/4] RUN another')).toBeUndefined();
  });
});

describe('what BuildKit tells', () => {
  /** Writes a field of bytes, as protobuf has it. */
  const bytes = (number: number, value: Buffer | string): Buffer => {
    const content = Buffer.from(value);
    return Buffer.concat([Buffer.from([(number << 3) | 2]), varint(content.length), content]);
  };
  const varint = (value: number): Buffer =>
    value < 0x80
      ? Buffer.from([value])
      : Buffer.concat([Buffer.from([(value & 0x7f) | 0x80]), varint(value >> 7)]);

  it('is read from the wire, and what is none is refused', () => {
    const vertex = Buffer.concat([
      bytes(1, 'sha256:aa'),
      bytes(3, '[2/2] RUN x'),
      Buffer.from([0x20, 1]),
      bytes(6, ''),
      bytes(7, 'it failed'),
    ]);
    const log = Buffer.concat([bytes(1, 'sha256:aa'), bytes(4, 'x'.repeat(300))]);
    const warning = bytes(3, 'deprecated');
    expect(
      readTrace(Buffer.concat([bytes(1, vertex), bytes(3, log), bytes(4, warning), bytes(15, '?')])),
    ).toEqual({
      vertexes: [
        { digest: 'sha256:aa', name: '[2/2] RUN x', cached: true, completed: true, error: 'it failed' },
      ],
      logs: [{ vertex: 'sha256:aa', bytes: Buffer.from('x'.repeat(300)) }],
      warnings: ['deprecated'],
    });
    for (const wrong of [[0x0a, 5, 1], [0x0b], [0x0a], Array(11).fill(0xff)])
      expect(() => wireFields(Buffer.from(wrong))).toThrow(RangeError);
    expect(wireFields(Buffer.from([0x0d, 1, 0, 0, 0, 0x11, 2, 0, 0, 0, 0, 0, 0, 0]))).toMatchObject([
      { number: 1, value: 1n },
      { number: 2, value: 2n },
    ]);
  });

  const vertex = (digest: string, more: object = {}) => ({
    digest,
    name: `step ${digest}`,
    cached: false,
    completed: false,
    error: '',
    ...more,
  });
  const printed = (digest: string, text: string) => ({ vertex: digest, bytes: Buffer.from(text) });

  it('becomes one line a line, also where it comes in pieces', () => {
    const log = new BuildLog();
    const euro = Buffer.from('€');
    log.begin('linux/amd64: built');
    log.add({ vertexes: [vertex('a'), vertex('b')], logs: [printed('a', 'one\ntw')], warnings: [] });
    log.add({
      vertexes: [],
      logs: [
        printed('b', '10%\r20%\r\n'),
        printed('a', 'o\n'),
        { vertex: 'a', bytes: euro.subarray(0, 1) },
        { vertex: 'a', bytes: euro.subarray(1) },
      ],
      warnings: ['old\u001b[1m'],
    });
    log.add({
      vertexes: [vertex('a', { completed: true }), vertex('b', { cached: true })],
      logs: [],
      warnings: [],
    });
    expect(log.text()).toBe(
      '== linux/amd64: built\n#1 step a\n#2 step b\n#1 one\n#2 10%\n#2 20%\n#1 two\nwarning: old\n#1 €\n#1 DONE\n#2 CACHED\n',
    );
  });

  it('names the step that failed, not those that were stopped by it', () => {
    const log = new BuildLog();
    log.begin('x');
    log.add({
      vertexes: [
        vertex('a', { completed: true, error: 'context canceled' }),
        vertex('b', { completed: true, error: 'exit code: 1' }),
      ],
      logs: [printed('b', 'last words')],
      warnings: [],
    });
    expect(log.failed()).toEqual({ name: 'step b', error: 'exit code: 1', last: ['last words'] });
  });

  it('is bounded, whatever a program prints', () => {
    const log = new BuildLog();
    log.begin('x');
    log.add({ vertexes: [vertex('a')], logs: [], warnings: [] });
    for (let count = 0; count < 300; count++)
      log.add({
        vertexes: [],
        logs: [printed('a', `${count} ${'z'.repeat(100)}\n`.repeat(400)), printed('a', 'w'.repeat(100_000))],
        warnings: [],
      });
    const text = log.text();
    expect(text.length).toBeLessThan(800 * 1024);
    expect(text).toMatch(/^== x\n#1 step a\n#1 0 zzz/);
    expect(text).toMatch(/\n\[\d+ lines left out\]\n/);
    expect(text).toMatch(/#1 299 z/);
    expect(Math.max(...text.split('\n').map(({ length }) => length))).toBeLessThan(2_100);
  });
});

it('shows text without what a terminal would obey', () => {
  expect(withoutControls('a\u001b[31mb\u001b]0;title\u0007c\u0000\u009bd\u202ee\tf\n')).toBe('abcde\tf\n');
  expect(plainText(' a\n b\u001b[0m ', 100)).toBe('a b');
  expect(plainText('x'.repeat(50), 10)).toBe(`${'x'.repeat(9)}…`);
});

it('gives names on the engine that are no one else’s, and knows them again', () => {
  const [one, other] = [1, 2].map(() => newName('Run_1/x', 'base', digestOf('a')));
  expect(one).not.toBe(other);
  expect(readName(one ?? '')).toMatchObject({ run: 'run-1-x' });
  for (const name of ['image-factory.local/x/base:latest', 'debian:12', `docker.io/${one}`])
    expect(readName(name)).toBeUndefined();
});
