import { describe, expect, it } from 'vitest';
import { createAllowLists } from '../../src/config/allow-lists.js';
import { loadEnvironment } from '../../src/config/environment.js';

const listsOf = (env: Record<string, string>) => createAllowLists(loadEnvironment(env));
const harness = (gateway: string, apiKeySecret = 'env:HARNESS_API_KEY') => ({
  gateway,
  apiKeySecret,
  account: 'acme',
});

describe('where the API key may go', () => {
  it('is Harness, and the host that the worker itself was given', () => {
    const lists = listsOf({ HARNESS_URL: 'harness.corp.example' });
    for (const host of ['app.harness.io', 'harness.corp.example'])
      expect(() => lists.assertHarness(harness(`https://${host}/gateway`))).not.toThrow();
    for (const host of [
      'evil.example',
      'app.harness.io.evil.example',
      'xapp.harness.io',
      'app.harness.io:8443',
    ])
      expect(() => lists.assertHarness(harness(`https://${host}/gateway`)), host).toThrow(
        expect.objectContaining({ type: 'NotAllowed' }),
      );
  });

  it('is only what ALLOWED_HARNESS_HOSTS says, when that is set', () => {
    const lists = listsOf({ ALLOWED_HARNESS_HOSTS: 'h.example:443', HARNESS_URL: 'other.example' });
    expect(lists.harnessHost('h.example')).toBe(true);
    expect(lists.harnessHost('other.example')).toBe(false);
    expect(lists.harnessHost('app.harness.io')).toBe(false);
  });

  it('is plain HTTP only on this machine, or where the operator said so', () => {
    const lists = listsOf({ ALLOWED_HARNESS_HOSTS: 'h.example,http://plain.example,127.0.0.1:4000' });
    expect(() => lists.assertHarness(harness('http://127.0.0.1:4000/gateway'))).not.toThrow();
    expect(() => lists.assertHarness(harness('http://plain.example/gateway'))).not.toThrow();
    expect(() => lists.assertHarness(harness('http://h.example/gateway'))).toThrow(/plain HTTP/);
  });

  it('does not show a secret’s reference that is not on the list', () => {
    const lists = listsOf({});
    expect(() => lists.assertHarness(harness('https://app.harness.io/gateway', 'env:OTHER'))).toThrow(
      /^(?!.*OTHER).*ALLOWED_SECRETS/,
    );
  });
});

describe('where images may be pushed', () => {
  it('is below the worker’s own registry, on path boundaries', () => {
    const lists = listsOf({ REGISTRY: 'reg.example.com/ci' });
    expect(() => lists.assertTarget('reg.example.com/ci/harness/ci-addon:1')).not.toThrow();
    expect(lists.registry('REG.example.com/ci')).toBe(true);
    for (const prefix of ['reg.example.com/cix', 'reg.example.com', 'reg.example.com:5000/ci', 'evil/ci'])
      expect(lists.registry(prefix), prefix).toBe(false);
    expect(() => lists.assertTarget('reg.example.com/cix/a:1')).toThrow(
      expect.objectContaining({ type: 'NotAllowed' }),
    );
  });

  it('is anywhere when the worker has no registry of its own', () => {
    expect(listsOf({}).registry('any.example.com/x')).toBe(true);
  });

  it('is nowhere when the worker’s own registry can’t be read', () => {
    expect(listsOf({ REGISTRY: 'https://reg.example.com' }).registry('reg.example.com')).toBe(false);
  });

  it('knows Docker Hub by all its names', () => {
    expect(listsOf({ ALLOWED_REGISTRIES: 'index.docker.io/acme' }).registry('docker.io/acme')).toBe(true);
  });
});
