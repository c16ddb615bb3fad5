import { describe, expect, it } from 'vitest';
import { loadEnvironment } from '../../src/config/environment.js';
import { parseRestoreInput, resolveRestore } from '../../src/config/restore-input.js';

const runId = '01997a2e-5c1b-7d70-9c7b-2f1a40f3c111';
const KEY = 'pat.acme.tokenid.c4n4ry';
const faultsOf = (raw: unknown): string[] => {
  const read = parseRestoreInput(raw);
  return read.ok ? [] : read.faults;
};

describe('the input of a restore', () => {
  it('is the run alone, or the run with more', () => {
    expect(parseRestoreInput({ runId })).toEqual({ ok: true, input: { runId, infra: ['K8'] } });
    const whole = { runId, infra: ['VM'], harnessUrl: 'h.example.com', harnessApiKeySecret: 'env:X' };
    expect(parseRestoreInput(whole)).toEqual({ ok: true, input: whole });
  });

  it.each<[string, unknown, string]>([
    ['nothing at all', undefined, 'runId must be the id of a run'],
    ['an empty object', {}, 'runId must be the id of a run'],
    ['null', null, 'the input must be one JSON object'],
    ['a list', [runId], 'the input must be one JSON object'],
    ['text', runId, 'the input must be one JSON object'],
    ['another id', { runId: 'x' }, 'runId must be the id of a run'],
    ['a path', { runId: `../${runId}` }, 'runId must be the id of a run'],
    ['a number', { runId: 7 }, 'runId must be the id of a run'],
    ['an unknown infra', { runId, infra: ['MARS'] }, 'infra[0]: '],
    ['no infra', { runId, infra: [] }, 'infra: '],
    ['infra as null', { runId, infra: null }, 'infra: '],
    ['a field of a run', { runId, registry: 'r.example.com' }, 'registry is a field of a run'],
    ['a misspelled field', { runId, infras: ['K8'] }, 'unknown field "infras" (did you mean infra?)'],
    ['endless text', { runId: 'x'.repeat(1 << 20) }, 'runId must be the id of a run'],
  ])('is not %s', (_what, raw, fault) => {
    expect(faultsOf(raw)).toEqual([expect.stringContaining(fault)]);
  });

  it.each<[string, unknown]>([
    ['the run', { runId: KEY }],
    ['the secret', { runId, harnessApiKeySecret: KEY }],
    ['an unknown field', { runId, apiKey: KEY }],
    ['a name', { runId, [KEY]: 1 }],
    ['everything', KEY],
  ])('is refused without echo when a key stands for %s', (_what, raw) => {
    expect(faultsOf(raw)).toEqual([expect.stringContaining('looks like a key itself')]);
    expect(faultsOf(raw).join()).not.toContain('c4n4ry');
  });
});

describe('what a restore does', () => {
  const environment = loadEnvironment({ HARNESS_API_KEY: KEY, REGISTRY: 'r.example.com', INFRA: 'VM' });

  it('is the input with the worker’s account', async () => {
    expect(await resolveRestore({ runId, infra: ['K8', 'VM', 'K8'] }, environment)).toEqual({
      runId,
      infra: ['K8', 'VM'],
      harness: {
        gateway: 'https://app.harness.io/gateway',
        graphql: true,
        apiKeySecret: 'env:HARNESS_API_KEY',
        account: 'acme',
      },
    });
  });

  it('is of K8 when nobody says', async () => {
    expect(await resolveRestore({ runId }, environment)).toMatchObject({ infra: ['K8'] });
  });

  it('names every fault at once, of the input and of what is not allowed', async () => {
    const failure = resolveRestore(
      { runId: 'x', infra: ['MARS'], scan: false, harnessUrl: 'https://evil.example' },
      loadEnvironment({}),
    );
    await expect(failure).rejects.toMatchObject({ type: 'InvalidInput' });
    for (const part of [
      /^5 things are wrong: /,
      /runId must be/,
      /infra\[0\]/,
      /scan is a field of a run/,
      /does not send its API key to evil\.example/,
      /nothing at env:HARNESS_API_KEY/,
    ])
      await expect(failure).rejects.toThrow(part);
  });

  it('is NotAllowed when that is all that is wrong', async () => {
    const failure = resolveRestore({ runId, harnessUrl: 'https://evil.example' }, environment);
    await expect(failure).rejects.toMatchObject({ type: 'NotAllowed' });
  });
});
