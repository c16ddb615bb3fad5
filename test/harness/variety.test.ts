import { describe, expect, it } from 'vitest';
import type { FieldUpdate } from '../../src/contract/outcome.js';
import type { Infra } from '../../src/contract/run.js';
import {
  type AccountPorts,
  readBackAccount,
  snapshotAccount,
  updateAccount,
} from '../../src/harness/account.js';
import { restoreAccount } from '../../src/harness/account-restore.js';
import type { HarnessClient } from '../../src/harness/client.js';
import { discover } from '../../src/harness/discovery.js';
import { readFollowed } from '../../src/harness/followed.js';
import { readImages } from '../../src/harness/images.js';
import { valueFor } from '../../src/harness/pull-path.js';
import { FolderEvidenceStore } from '../../src/store/evidence-folder.js';
import { temporaryDirectory } from '../support/directory.js';
import { clientOf, failure, REGISTRY, sample, sampleFields, simulate } from '../support/harness.js';

const SOURCES = ['default', 'customer'] as const;

/** What a run sets when every image that the account names has been verified. */
async function allUpdates({ client, evidence }: AccountPorts, infra: Infra): Promise<FieldUpdate[]> {
  const read = await readImages(client, { infra: [infra], sources: SOURCES });
  const followed = await readFollowed(evidence, { account: client.account, infra });
  const configs = read.configs.map((config) => ({ ...config, followed }));
  const images = discover({
    ...{ configs, sources: SOURCES, includes: [], exclude: [], extraImages: [] },
    ...{ sourceRegistries: ['docker.io'], registry: REGISTRY },
  });
  return images.flatMap(({ target, fields, problem }) => {
    expect(problem).toBeUndefined();
    if (target === null) throw new Error('no target');
    return fields.map(({ field }) => ({ field, target, value: valueFor(target, 'qualified', REGISTRY) }));
  });
}

describe('an account is read, set and put back as it was', () => {
  it.each<[string, Infra, string, number, number]>([
    ['of today, 48 fields', 'K8', 'default-config.k8.json', 48, 40],
    ['of older days, 12 fields', 'K8', 'default-config.k8.older.json', 12, 11],
    ['that builds on virtual machines', 'VM', 'default-config.vm.json', 13, 11],
  ])('%s', async (_which, infra, file, fields, images) => {
    const pinned = { gitCloneTag: 'harness/drone-git:1.0.0' };
    const other: Infra = infra === 'K8' ? 'VM' : 'K8';
    const untouched = { s3UploadTag: 'plugins/s3:1.0.0' };
    const simulator = await simulate({
      defaults: { [infra]: sampleFields(file), [other]: sampleFields('default-config.vm.json') },
      overrides: { [infra]: pinned, [other]: untouched },
    });
    const client = clientOf(simulator);
    const ports: AccountPorts = { client, evidence: new FolderEvidenceStore(await temporaryDirectory()) };
    const run = { runId: 'run-1', infra };

    const updates = await allUpdates(ports, infra);
    expect(updates).toHaveLength(fields);
    expect(new Set(updates.map(({ target }) => target)).size).toBe(images);

    const { key } = await snapshotAccount(ports, run);
    expect(key).toBe(`runs/run-1/account-${infra}-before.json`);
    const task = { ...run, registry: REGISTRY, updates, snapshotKey: key };
    expect(await updateAccount(ports, task)).toMatchObject({ rejected: [] });
    await readBackAccount(ports, { ...run, updates });
    const values = Object.values(simulator.state.overrides[infra]);
    expect(values).toHaveLength(fields);
    expect(values.every((value) => value.startsWith(`${REGISTRY}/`))).toBe(true);
    const posts = simulator.requests.filter(({ method }) => method === 'POST');
    expect(posts.map(({ query }) => query.infra)).toEqual([infra]);

    // The next night there is nothing to set.
    expect(await allUpdates(ports, infra)).toEqual(updates);

    const restored = { restored: 1, reset: fields - 1, leftAlone: [], rejected: [] };
    expect(await restoreAccount(ports, run)).toEqual(restored);
    expect(simulator.state.overrides).toEqual({ [infra]: pinned, [other]: untouched });
  });

  it('and a field of Kubernetes builds is rejected for virtual machines, by name', async () => {
    const simulator = await simulate();
    const refused = failure(
      clientOf(simulator).updateConfig('VM', [{ field: 'addonTag', value: 'harness/ci-addon:1' }]),
    );
    expect(await refused).toMatchObject({
      type: 'HarnessRejected',
      field: 'addonTag',
      message: expect.stringContaining('Field addonTag does not exist for infra type: VM'),
    });
  });
});

describe('every call understands every shape of an error', () => {
  const calls: Record<string, (client: HarnessClient) => Promise<unknown>> = {
    'default images': (client) => client.defaultConfig('K8'),
    'own images': (client) => client.customerConfig('VM', { overridesOnly: true }),
    'an update': (client) => client.updateConfig('K8', [{ field: 'addonTag', value: 'a/b:1' }]),
    'a reset': (client) => client.resetConfig('K8', [{ field: 'addonTag' }]),
    'a connector': (client) => client.connector('account.private_registry'),
    'its test': (client) => client.testConnector('account.private_registry'),
  };
  const shapes = [
    ['error-400-unknown-field.jaxrs.json', 400, 'HarnessRejected', /Field noSuchTag does not exist/],
    ['error-400-unknown-field.json', 400, 'HarnessRejected', /Field noSuchTag does not exist/],
    ['error-400-unsupported-infra.json', 400, 'HarnessRejected', /not supported for infra type: DLITE_VM/],
    ['error-401-expired.json', 401, 'HarnessUnauthorized', /has expired \(EXPIRED_TOKEN\): create a new one/],
    ['error-401.json', 401, 'HarnessUnauthorized', /not valid \(INVALID_TOKEN\): check/],
    ['error-403.json', 403, 'HarnessForbidden', /permission to edit the account \(core_account_edit\)/],
    ['error-429.http.txt', 429, 'HarnessRateLimited', /allows no more requests for now/],
    ['error-500.json', 500, 'HarnessUnavailable', /HTTP 500\): Oops, something went wrong/],
  ] as const;

  it.each(Object.keys(calls).flatMap((call) => shapes.map((shape) => [call, ...shape] as const)))(
    '%s: %s',
    async (call, name, status, type, says) => {
      const simulator = await simulate();
      const body = sample(name).replace(/^HTTP.*?\r?\n\r?\n/s, '');
      simulator.fail({ how: { kind: 'answer', status, body } });
      const error = await failure(calls[call]?.(clientOf(simulator)) ?? Promise.resolve());
      expect(error).toMatchObject({ type, message: expect.stringMatching(says) });
      expect(String(error)).toMatch(/127\.0\.0\.1:\d+/);
      expect(simulator.state.overrides).toEqual({ K8: {}, VM: {} });
    },
  );
});
