import { describe, expect, it } from 'vitest';
import { checkInput, looksLikeKey, parseRunInput } from '../../src/config/input.js';

const faultsOf = (raw: unknown): string[] => {
  const read = checkInput(raw);
  return read.ok ? [] : read.faults;
};

describe('the input of a run', () => {
  it('may be absent, so that the environment decides alone', () => {
    expect(checkInput(undefined)).toEqual({ ok: true, input: {} });
    expect(parseRunInput(undefined, { inputDefaults: { registry: 'r.example.com' } })).toEqual({
      ok: true,
      input: { registry: 'r.example.com' },
    });
  });

  it('takes the old pipeline’s spelling, as text too', () => {
    expect(
      checkInput({ registry_connector: 'account.c', modify_default: 'true', MAX_CONCURRENCY: '7' }),
    ).toEqual({
      ok: true,
      input: { registryConnector: 'account.c', modifyDefault: true, maxConcurrency: 7 },
    });
  });

  it('takes two spellings of one field only when they agree', () => {
    expect(checkInput({ maxConcurrency: 7, MAX_CONCURRENCY: '7' }).ok).toBe(true);
    expect(faultsOf({ maxConcurrency: 7, MAX_CONCURRENCY: '8' })).toEqual([
      'maxConcurrency and MAX_CONCURRENCY are two spellings of one field, with different values',
    ]);
  });

  it('wins over the environment, which wins over nothing', () => {
    const inputDefaults = { infra: 'K8, VM', scan: 'FALSE', maxConcurrency: '3', include: 'harness/*' };
    expect(parseRunInput({ scan: true }, { inputDefaults })).toEqual({
      ok: true,
      input: { scan: true, infra: ['K8', 'VM'], maxConcurrency: 3, include: ['harness/*'] },
    });
  });

  it('names the variable when the environment is what is wrong', () => {
    const read = parseRunInput({}, { inputDefaults: { maxConcurrency: 'many' } });
    expect(read).toEqual({ ok: false, faults: [expect.stringMatching(/^MAX_CONCURRENCY \(the worker's/)] });
  });

  it('names every fault at once, and the field that was probably meant', () => {
    const faults = faultsOf({
      maxconcurency: 3,
      maxConcurrency: 0,
      infra: ['K9'],
      include: ['[a'],
      platforms: ['arm64', 'linux/aarch64', 'linux/arm/v7'],
      registry: 'https://r.example.com',
      buildPushTemplate: '../x',
      dryRun: 'true',
    });
    expect(faults).toHaveLength(9);
    expect(faults.join('\n')).toMatch(/unknown field "maxconcurency" \(did you mean maxConcurrency\?\)/);
    expect(faults.join('\n')).toMatch(/platforms entry 2 has no architecture/);
    expect(faults.join('\n')).toMatch(/registry must be host.*without https/);
  });

  it.each([[1], ['text'], [[]], [null]])('is one object, not %j', (raw) => {
    expect(faultsOf(raw)).toEqual(['the input must be one JSON object']);
  });

  it('does not take a name of JavaScript’s own for a field', () => {
    expect(faultsOf(JSON.parse('{"constructor": 1, "__proto__": {"registry": "x"}}'))).toHaveLength(2);
  });

  it('may carry any text without the check taking long', () => {
    expect(faultsOf({ registry: ':'.repeat(1_000_000) })).toEqual([
      'registry is longer than 4096 characters',
    ]);
  });
});

describe('a key in the input', () => {
  const keys = [
    'pat.abc.def.ghi',
    'sat.AbCdEfGhIjKlMnOpQrStUv.0123456789abcdef01234567.ABCDEFGHIJ0123456789',
    'Bearer abcdefgh12345678',
    'Basic dXNlcjpwYXNz',
    'AKIAIOSFODNN7EXAMPLE',
    `ghp_${'a'.repeat(36)}`,
    '-----BEGIN RSA PRIVATE KEY-----\nMIIE',
    'https://user:hunter2@registry.example.com/ci',
    'user:hunter2@registry.example.com',
  ];

  it.each(keys)('is refused by its path alone: %s', (key) => {
    for (const [raw, path] of [
      [{ harnessApiKeySecret: key }, 'harnessApiKeySecret'],
      [{ include: ['a', key] }, 'include[1]'],
      [{ other: { deep: [key] } }, 'other.deep[0]'],
      [{ [key]: 1 }, 'the name of a field'],
      [key, 'the input'],
    ] as const) {
      const text = faultsOf(raw).join('\n');
      expect(text).toContain(`${path} looks like a key itself`);
      expect(text).not.toContain(key);
    }
  });

  it('is found in the worker’s own defaults too', () => {
    const read = parseRunInput({}, { inputDefaults: { registry: 'https://user:hunter2@r.example.com' } });
    expect(read.ok).toBe(false);
    expect(JSON.stringify(read)).not.toContain('hunter2');
  });

  it('is not seen where there is none', () => {
    for (const text of [
      'registry.example.com:5000/ci',
      'sat.registry.example.com/ci',
      'pat.registry.example.com:5000',
      'env:HARNESS_API_KEY',
      'file:/run/secrets/harness',
      'https://app.harness.io/gateway/api/graphql',
      `alpine:3.19@sha256:${'a'.repeat(64)}`,
      `r.example.com:5000/alpine:3.19@sha256:${'a'.repeat(64)}`,
      'account.harnessImage',
      'plugins/*',
    ])
      expect(looksLikeKey(text), text).toBe(false);
  });
});
