import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadEnvironment } from '../../src/config/environment.js';
import { resolveHarnessTarget, resolveRunConfig } from '../../src/config/resolve.js';
import { temporaryDirectory } from '../support/directory.js';

const KEY = 'pat.acme.tokenid.c4n4ry';
const now = new Date('2026-03-01T02:00:00Z');
const resolveWith = (raw: unknown, env: Record<string, string> = { HARNESS_API_KEY: KEY }) =>
  resolveRunConfig(raw, loadEnvironment(env), { now });

describe('the configuration of a run', () => {
  it('needs a registry and a key, and has a default for the rest', async () => {
    const config = await resolveWith({ registry: 'Reg.example.com/ci/' });
    expect(config).toMatchObject({
      registry: 'reg.example.com/ci',
      registryConnector: null,
      modifyDefault: false,
      maxConcurrency: 5,
      harness: {
        gateway: 'https://app.harness.io/gateway',
        graphql: true,
        apiKeySecret: 'env:HARNESS_API_KEY',
        account: 'acme',
      },
      infra: ['K8'],
      valueStyle: 'qualified',
      scan: true,
      dryRun: false,
    });
    expect(JSON.stringify(config)).not.toContain('c4n4ry');
  });

  it('can come from the environment alone', async () => {
    const config = await resolveWith(undefined, {
      HARNESS_API_KEY: KEY,
      HARNESS_ACCOUNT_ID: 'other',
      REGISTRY: 'reg.example.com/ci',
      MODIFY_DEFAULT: 'true',
      REGISTRY_CONNECTOR: 'account.harnessImage',
      MAX_CONCURRENCY: '9',
      PLATFORMS: 'linux/arm64',
      HARNESS_URL: 'http://127.0.0.1:4321',
    });
    expect(config).toMatchObject({
      modifyDefault: true,
      registryConnector: 'account.harnessImage',
      maxConcurrency: 9,
      harness: { gateway: 'http://127.0.0.1:4321/gateway', graphql: false, account: 'other' },
      buildPush: { platforms: ['linux/arm64'] },
    });
  });

  it('names every fault at once: of shape, of what is missing, of templates and of what is not allowed', async () => {
    const failure = resolveWith(
      {
        modifyDefault: true,
        maxConcurency: 3,
        gatherScanTemplate: 'none',
        harnessUrl: 'https://evil.example',
      },
      {},
    );
    await expect(failure).rejects.toMatchObject({ type: 'InvalidInput' });
    for (const part of [
      /^6 things are wrong: \(1\) /,
      /unknown field "maxConcurency" \(did you mean maxConcurrency\?\)/,
      /registry is missing/,
      /registryConnector is missing/,
      /gather-scan template none does not exist/,
      /does not send its API key to evil\.example/,
      /nothing at env:HARNESS_API_KEY/,
    ])
      await expect(failure).rejects.toThrow(part);
  });

  it('is NotAllowed when that is all that is wrong', async () => {
    await expect(
      resolveWith({ registry: 'other.example.com' }, { HARNESS_API_KEY: KEY, REGISTRY: 'reg.example.com' }),
    ).rejects.toMatchObject({ type: 'NotAllowed' });
  });

  it('shows neither a key in the input nor the worker’s own in any fault', async () => {
    const failure = resolveWith({ registry: 'r.example.com', harnessApiKeySecret: KEY });
    await expect(failure).rejects.toThrow(/harnessApiKeySecret looks like a key itself/);
    await expect(failure).rejects.toThrow(/^(?!.*c4n4ry)/);
    await expect(resolveWith({}, { HARNESS_API_KEY: 'c4n4ry' })).rejects.toThrow(
      /^(?!.*c4n4ry).*set HARNESS_ACCOUNT_ID/,
    );
  });

  it('asks for no key when the template asks Harness nothing', async () => {
    const templates = await temporaryDirectory();
    await mkdir(join(templates, 'gather-scan'));
    await writeFile(
      join(templates, 'gather-scan/files.yaml'),
      'sources: []\nextraImages: ["docker.io/library/alpine:3.19"]\n',
    );
    const config = await resolveWith(
      { registry: 'r.example.com', gatherScanTemplate: 'files' },
      { TEMPLATE_DIR: templates },
    );
    expect(config.harness.account).toBe('');
    expect(config.gatherScan.extraImages).toHaveLength(1);
  });

  it('does not push onto its own source', async () => {
    await expect(
      resolveWith(
        { registry: 'r.example.com/mirror' },
        { HARNESS_API_KEY: KEY, SOURCE_REGISTRY: 'r.example.com/mirror' },
      ),
    ).rejects.toThrow(/is a source too/);
  });
});

describe('a target on Docker Hub', () => {
  it.each(['docker.io', 'docker.io/acme', 'index.docker.io/acme', 'registry-1.docker.io/acme/ci'])(
    '%s is refused, with what to use instead',
    async (registry) => {
      const failure = resolveWith({ registry });
      await expect(failure).rejects.toMatchObject({ type: 'InvalidInput' });
      await expect(failure).rejects.toThrow(/namespace\/repository.*cannot be pushed: use .* ghcr\.io\/acme/);
    },
  );

  it.each(['ghcr.io/acme', 'mirror.docker.io.example.com/acme'])('is not %s', async (registry) => {
    expect(await resolveWith({ registry })).toMatchObject({ registry });
  });
});

describe('a configuration that Temporal could not carry', () => {
  const exception = (index: number) =>
    `    - { id: CVE-2024-${index}, owner: team, reason: "${'r'.repeat(200)}", expires: 2099-01-01 }`;
  const withExceptions = async (count: number) => {
    const templates = await temporaryDirectory();
    await mkdir(join(templates, 'gather-scan'));
    const lines = Array.from({ length: count }, (_, index) => exception(1000 + index));
    await writeFile(
      join(templates, 'gather-scan/many.yaml'),
      `policy:\n  exceptions:\n${lines.join('\n')}\n`,
    );
    const include = [`harness/{${'x,'.repeat(90)}y}`];
    return resolveWith(
      { registry: 'r.example.com', gatherScanTemplate: 'many', include: Array(10).fill(include[0]) },
      { TEMPLATE_DIR: templates, HARNESS_API_KEY: KEY },
    );
  };

  it('is refused with its size and what to shorten, the longest first', async () => {
    const failure = withExceptions(600);
    await expect(failure).rejects.toMatchObject({ type: 'InvalidInput' });
    await expect(failure).rejects.toThrow(
      /has \d{3},\d{3} characters as JSON and may have 32,000, .*: shorten policy\.exceptions of gather-scan template many \(\d{3},\d{3}\), include of the input \(\d,\d{3}\)$/,
    );
  });

  it('is not one of common size', async () => {
    const config = await withExceptions(80);
    expect(config.gatherScan.policy.exceptions).toHaveLength(80);
    expect(JSON.stringify(config).length).toBeLessThan(32_000);
  });
});

describe('the account that is asked without a run', () => {
  it('is read by the same rules', async () => {
    const environment = loadEnvironment({ HARNESS_API_KEY: KEY });
    expect(await resolveHarnessTarget({}, environment)).toMatchObject({ account: 'acme' });
    await expect(
      resolveHarnessTarget({ harnessUrl: 'https://evil.example' }, environment),
    ).rejects.toMatchObject({ type: 'NotAllowed' });
  });
});
