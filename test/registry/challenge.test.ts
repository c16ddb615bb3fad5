import { describe, expect, it } from 'vitest';
import { parseChallenges } from '../../src/registry/challenge.js';

const read = (header: string) =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

describe('WWW-Authenticate', () => {
  it.each([
    ['Basic realm="x"', [['basic', { realm: 'x' }]]],
    [
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"',
      [
        [
          'bearer',
          {
            realm: 'https://auth.docker.io/token',
            service: 'registry.docker.io',
            scope: 'repository:a/b:pull,push',
          },
        ],
      ],
    ],
    ['BEARER Realm = "a\\"b, c" , SERVICE=tok', [['bearer', { realm: 'a"b, c', service: 'tok' }]]],
    [
      'Negotiate, Basic realm="a", Bearer realm="b"',
      [
        ['negotiate', {}],
        ['basic', { realm: 'a' }],
        ['bearer', { realm: 'b' }],
      ],
    ],
    [
      'NTLM TlRMTVNTUAAB==, Basic realm="a"',
      [
        ['ntlm', {}],
        ['basic', { realm: 'a' }],
      ],
    ],
    ['Basic realm="first", realm="second"', [['basic', { realm: 'first' }]]],
    [', ,Basic realm=""', [['basic', { realm: '' }]]],
    ['Bearer realm="never closed', [['bearer', {}]]],
    ['', []],
    ['"', []],
  ])('%s', (header, expected) => {
    expect(read(header)).toEqual(expected);
  });

  it('is read in linear time, whatever it holds', () => {
    const started = performance.now();
    for (const bad of ['Basic a="'.padEnd(200_000, '\\'), 'a '.repeat(100_000), ', '.repeat(100_000)])
      read(bad);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
