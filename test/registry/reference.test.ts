import { describe, expect, it } from 'vitest';
import {
  atDigest,
  canonicalHost,
  formatReference,
  isHost,
  parseReference,
  splitReference,
} from '../../src/registry/reference.js';

const D = `sha256:${'ab'.repeat(32)}`;

describe('a reference', () => {
  it.each([
    ['alpine', 'docker.io/library/alpine:latest'],
    ['harness/ci-addon:1.16.4', 'docker.io/harness/ci-addon:1.16.4'],
    ['index.docker.io/plugins/kaniko:1', 'docker.io/plugins/kaniko:1'],
    ['registry-1.docker.io/alpine', 'docker.io/library/alpine:latest'],
    ['localhost/a:1', 'localhost/a:1'],
    ['localhost:5000/a/b__c/d--e.f:V1_x', 'localhost:5000/a/b__c/d--e.f:V1_x'],
    ['[::1]:5000/a:1', '[::1]:5000/a:1'],
    ['REG.example.com/a', 'reg.example.com/a:latest'],
    [`reg.example.com/a@${D}`, `reg.example.com/a@${D}`],
    [`reg.example.com/a:1@${D}`, `reg.example.com/a@${D}`],
  ])('%s means %s', (text, canonical) => {
    expect(formatReference(parseReference(text))).toBe(canonical);
  });

  it.each([
    '',
    'UPPER',
    'a//b',
    '/a',
    'a/',
    'a:',
    'a b',
    'a:tag/',
    'a@sha256:abc',
    `a@sha512:${'0'.repeat(128)}`,
    `a:${'t'.repeat(129)}`,
    'a_-b',
    'a___b',
    'reg.example.com:99999/a',
    '127.1/a',
    '0x7f.0.0.1/a',
    '256.1.1.1/a',
    '[::g]/a',
    'https://reg.example.com/a',
    'user:pw@reg.example.com/a',
    'reg.example.com/../a',
    `reg.example.com/${'a'.repeat(250)}`,
    'a'.repeat(100_000),
    `${'a-'.repeat(50_000)}.x/y`,
  ])('%# is refused', (text) => {
    expect(() => parseReference(text)).toThrow(/is not an image reference/);
  });

  it('without a host belongs to the default registry and its prefix', () => {
    expect(formatReference(parseReference('harness/a:1', 'reg.example.com/mirror'))).toBe(
      'reg.example.com/mirror/harness/a:1',
    );
  });

  it('keeps its repository when it is pinned to a digest', () => {
    const { digest } = parseReference(`a@${D}`);
    if (digest === null) throw new Error('the digest was lost');
    expect(atDigest(formatReference(parseReference('x.io/a:1')), digest)).toBe(`x.io/a@${D}`);
  });

  it('has one host spelling', () => {
    expect(canonicalHost('Index.Docker.io')).toBe('docker.io');
    expect(isHost('reg.example.com:65535')).toBe(true);
    expect(isHost('reg.example.com:65536')).toBe(false);
  });
});

/** Mulberry32: the same strings in every run. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

describe('generated references', () => {
  const next = generator(20_261_123);
  const pick = <T>(items: readonly [T, ...T[]]): T => items[next(items.length)] ?? items[0];
  const word = (): string =>
    Array.from({ length: 1 + next(6) }, () => pick([...'ab9z'] as [string])).join('');

  it('survive being written and read', () => {
    for (let i = 0; i < 2000; i++) {
      // The first part has no dot, else it is a host.
      const parts = Array.from({ length: 1 + next(4) }, (_, at) =>
        at === 0 || next(2) ? word() : `${word()}${pick(['.', '_', '__', '-', '--'])}${word()}`,
      );
      const host = pick(['', 'docker.io/', 'localhost:5000/', 'a.example.com/', '[2001:db8::1]:443/']);
      const suffix = pick(['', `:${word()}`, `:V${word()}.1_x-`, `@${D}`, `:${word()}@${D}`]);
      const once = formatReference(parseReference(`${host}${parts.join('/')}${suffix}`));
      expect(formatReference(splitReference(once))).toBe(once);
    }
  });

  it('are refused with one kind of error, or read to something that a URL keeps as it is', () => {
    const alphabet = [...'aZ0._-:/@[]% \\#?\u0000é'] as [string];
    for (let i = 0; i < 5000; i++) {
      const text = Array.from({ length: next(24) }, () => pick(alphabet)).join('');
      let parsed: ReturnType<typeof parseReference>;
      try {
        parsed = parseReference(text);
      } catch (error) {
        expect(String(error)).toMatch(/is not an image reference/);
        continue;
      }
      const url = new URL(`https://${parsed.host}/v2/${parsed.path}/manifests/${parsed.tag}`);
      expect(url.pathname).toBe(`/v2/${parsed.path}/manifests/${parsed.tag}`);
    }
  });
});
