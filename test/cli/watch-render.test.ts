import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { render } from '../../src/cli/watch/render.js';
import { clock } from '../../src/cli/watch/units.js';
import { screen } from './screen.js';
import { frame, transfer } from './watch-frame.js';

const plain = screen().paint;
const push = { image: 'harness/ci-addon:1.16.92', step: 'push' as const, doing: '' };
const blocked = {
  image: 'plugins/kaniko:1.10.6',
  kind: 'blocked' as const,
  note: '1 fixable CRITICAL on linux/amd64 (CVE-2022-37434 in zlib1g)',
};
const warning = { image: '', activity: 'discoverImages', attempt: 3, message: 'the host is down' };
const many = Array.from({ length: 200 }, (_, n) => ({
  image: `plugins/image-${n}:1.0.${n}`,
  kind: 'mirrored' as const,
  note: '2 platforms verified, 4.2 MB sent',
}));

describe('a picture of a run', () => {
  it('says where it is, what moves how fast, what needs a person, and what is done', () => {
    const shown = frame({
      done: 2,
      images: 3,
      counts: { blocked: 1, mirrored: 1 },
      transfer: transfer(3e6, 12e6, 1.5e6),
      working: [{ ...push, transfer: transfer(3e6, 12e6, 1.5e6) }],
      attention: [blocked],
      warnings: [warning],
      finished: many.slice(0, 1),
    });
    expect(render(shown, { columns: 120, rows: 30, colour: plain })).toEqual([
      'mirror  2 of 3 images  2 m 10 s  nightly',
      '████████████████████░░░░░░░░░░  66%  3.0 of 12.0 MB, 1.5 MB/s  1 blocked, 1 mirrored',
      '  image                     step                        bytes       rate      left',
      '▸ harness/ci-addon:1.16.92  push               3.0 of 12.0 MB   1.5 MB/s       6 s',
      '✗ plugins/kaniko:1.10.6     blocked     1 fixable CRITICAL on linux/amd64 (CVE-2022-37434 in zlib1g)',
      '! the run                   warning     discoverImages, attempt 3 follows: the host is down',
      '✓ plugins/image-0:1.0.0     mirrored    2 platforms verified, 4.2 MB sent',
    ]);
  });

  it('has a percentage and notes below their images where it is narrow', () => {
    const working = [{ ...push, transfer: transfer(3e6, 12e6, 1.5e6) }];
    const shown = frame({ paused: true, working, attention: [blocked] });
    expect(render(shown, { columns: 40, rows: 20, colour: plain })).toEqual([
      'mirror, paused  0 of 2 images  2 m 10 s…',
      '░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░   0%',
      '▸ harness/ci-…don:1.16.92  push    25%',
      '✗ plugins/kaniko:1.10.6    blocked',
      '    1 fixable CRITICAL on linux/amd64',
      '    (CVE-2022-37434 in zlib1g)',
    ]);
  });

  const long = {
    ...blocked,
    image: `some/${'long'.repeat(30)}:1`,
    note: 'word '.repeat(90) + 'x'.repeat(200),
  };
  const full = frame({
    images: 400,
    done: 200,
    counts: { mirrored: 200, blocked: 1, failed: 1, unresolved: 12, unchanged: 34 },
    transfer: transfer(123e9, 456e9, 999.9e6),
    working: Array.from({ length: 50 }, (_, n) => ({
      image: `some/${'long'.repeat(n)}:1`,
      step: 'scan' as const,
      doing: 'download',
      transfer: transfer(999.9e6, 999.9e6, 999.9e6),
    })),
    attention: [long, ...Array.from({ length: 20 }, () => blocked)],
    warnings: Array.from({ length: 20 }, () => ({ ...warning, image: long.image, message: long.note })),
    finished: many,
  });

  it.each([
    [20, 1],
    [20, 5],
    [40, 20],
    [71, 24],
    [72, 24],
    [80, 24],
    [140, 40],
    [300, 90],
  ])('fits a window of %i by %i, however much there is', (columns, rows) => {
    const lines = render(full, { columns, rows, colour: plain });
    expect(lines.length).toBeLessThanOrEqual(rows);
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(columns);
  });

  it('shows some of each kind, and says how much is left out', () => {
    const text = render(full, { columns: 80, rows: 24, colour: plain }).join('\n');
    expect(text).toMatch(/^▸ /m);
    expect(text).toMatch(/^ {2}and \d+ more in work$/m);
    expect(text).toMatch(/^✗ /m);
    expect(text).toMatch(/^ {2}and \d+ more that need you$/m);
    expect(text).toMatch(/^ {2}and \d+ more warnings$/m);
    expect(text).toContain('✓ plugins/image-0:1.0.0');
    expect(text).toMatch(/and \d+ more that ended before$/);
  });

  it('gives room that others do not need to the images that ended', () => {
    const lines = render(frame({ finished: many }), { columns: 80, rows: 24, colour: plain });
    expect(lines).toHaveLength(24);
    expect(lines.at(-2)).toContain('image-20:');
    expect(lines.at(-1)).toBe('  and 179 more that ended before');
  });

  it('leaves nothing out when it stays', () => {
    const window = { columns: 80, rows: Number.POSITIVE_INFINITY, colour: plain };
    const text = render(frame({ finished: many, attention: [long] }), window).join('\n');
    expect(text).toContain('image-199:');
    expect(text).toContain('x'.repeat(200));
    expect(text).not.toContain('more');
  });

  it('is plain text where no colour is wanted, and colours change no width', () => {
    const window = { columns: 100, rows: 30 };
    const coloured = render(full, { ...window, colour: screen(100).paint });
    expect(coloured.join()).toContain('\u001b[31m✗');
    const stripped = coloured.map((line) => stripVTControlCharacters(line));
    expect(stripped).toEqual(render(full, { ...window, colour: plain }));
  });

  it('passes on no control character that somebody else wrote', () => {
    const evil = 'a\u001b[2Jb\nc\u009bd';
    const row = { ...push, image: evil, transfer: null };
    const shown = frame({
      workflowId: evil,
      working: [{ ...row, doing: evil }],
      attention: [{ ...blocked, image: evil, note: evil }],
      warnings: [{ ...warning, message: evil }],
    });
    const text = render(shown, { columns: 140, rows: 30, colour: plain }).join('');
    expect(text).not.toMatch(/\p{Cc}/u);
  });

  it('waits for a worker before there is anything to say', () => {
    const shown = frame({ phase: null, images: 0, elapsedMs: 0, notice: 'no worker answers just now' });
    expect(render(shown, { columns: 80, rows: 24, colour: plain })).toEqual([
      'waits for a worker  0 s  nightly',
    ]);
  });
});

it.each([
  [400, '0 s'],
  [59_600, '1 m 0 s'],
  [3_900_000, '1 h 5 m'],
])('%i ms are %s', (ms, text) => {
  expect(clock(ms)).toBe(text);
});
