import { randomUUID } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WORKFLOW } from '../../src/contract/names.js';
import type { AccountOutcome } from '../../src/contract/outcome.js';
import { publish } from '../mirror/side.js';
import { startHostile } from '../support/hostile-registry.js';
import { ref, twoPlatformImage } from '../support/images.js';
import { ACCOUNT, type Factory, few, openFactory } from './factory.js';
import { textOf } from './history.js';

const KEY = `pat.${ACCOUNT}.canaryTokenId.c4n4ryKey`;
const SECRETS = { REGISTRY_USER: 'robot', REGISTRY_PASSWORD: 'c4n4ryPassword', OTHER_SECRET: 'c4n4ryOther' };
/** A secret, or `robot:` in Base64. */
const CANARY = /c4n4ry|cm9ib3Q6/;

/** Asks everyone for a login, be it as Harness or as a registry. */
async function evilServer() {
  const asks = { status: 401, headers: { 'www-authenticate': 'Basic realm="your password, please"' } };
  const paths = ['/v2/ci/harness/ci-addon/blobs/uploads/', '/v2/ci/harness/ci-addon/manifests/1'];
  const server = await startHostile(() => paths.map((path) => ({ on: `* ${path}`, reply: asks })));
  onTestFinished(() => server.stop());
  return server;
}

/** A worker with every kind of secret, for one registry and one Harness. */
const openGuarded = (): Promise<Factory> =>
  openFactory({
    images: few,
    apiKey: KEY,
    env: { ...SECRETS, ALLOWED_REGISTRIES: 'registry.example.com/ci' },
  });

/** What really went wrong, below what says only where. */
const rootOf = (error: unknown): unknown =>
  error instanceof Error && error.cause instanceof Error ? rootOf(error.cause) : error;

/** How a workflow ended, and that neither its history nor the other server knows a secret. */
async function endOf(
  factory: Factory,
  evil: Awaited<ReturnType<typeof evilServer>>,
  start: [string, unknown],
) {
  const handle = await factory.start(...start);
  const result: unknown = await handle.result().catch((error: unknown) => rootOf(error));
  expect(textOf(await handle.fetchHistory())).not.toMatch(CANARY);
  expect(evil.seen).toEqual([]);
  return result;
}

describe('whoever may start a workflow gets nothing of the worker’s secrets', () => {
  it('by a run, a plan or a restore with another Harness, registry, secret or template', async () => {
    const [factory, evil] = await Promise.all([openGuarded(), evilServer()]);
    const good = { registry: 'registry.example.com/ci' };
    const evilHarness = { harnessUrl: `http://${evil.host}/gateway` };
    const cases: [string, unknown, string, string][] = [
      [WORKFLOW.imageFactory, { ...good, ...evilHarness }, 'NotAllowed', 'ALLOWED_HARNESS_HOSTS'],
      [WORKFLOW.planImages, { ...good, ...evilHarness }, 'NotAllowed', 'ALLOWED_HARNESS_HOSTS'],
      [
        WORKFLOW.restoreHarness,
        { runId: randomUUID(), ...evilHarness },
        'NotAllowed',
        'ALLOWED_HARNESS_HOSTS',
      ],
      [WORKFLOW.imageFactory, { registry: `${evil.host}/ci` }, 'NotAllowed', 'ALLOWED_REGISTRIES'],
      [WORKFLOW.planImages, { registry: `${evil.host}/ci` }, 'NotAllowed', 'ALLOWED_REGISTRIES'],
      [WORKFLOW.planImages, { registry: 'registry.example.com/cix' }, 'NotAllowed', 'ALLOWED_REGISTRIES'],
      [
        WORKFLOW.planImages,
        { ...good, harnessApiKeySecret: 'env:OTHER_SECRET' },
        'NotAllowed',
        'ALLOWED_SECRETS',
      ],
      [
        WORKFLOW.planImages,
        { ...good, harnessApiKeySecret: 'file:/etc/passwd' },
        'NotAllowed',
        'ALLOWED_SECRETS',
      ],
      [
        WORKFLOW.planImages,
        { ...good, harnessApiKeySecret: 'file:/run/secrets/../../etc/passwd' },
        'InvalidInput',
        'harnessApiKeySecret',
      ],
      [
        WORKFLOW.planImages,
        { ...good, gatherScanTemplate: '../../../etc/passwd' },
        'InvalidInput',
        'emplate',
      ],
      [WORKFLOW.planImages, { ...good, buildPushTemplate: '/etc/passwd' }, 'InvalidInput', 'emplate'],
    ];
    for (const [workflow, input, type, says] of cases) {
      const end = await endOf(factory, evil, [workflow, input]);
      expect(end, JSON.stringify(input)).toMatchObject({ type, message: expect.stringContaining(says) });
    }
    expect(factory.harness.requests).toEqual([]);
  });

  it('by the workflows behind a run, started without it', async () => {
    const [factory, evil] = await Promise.all([openGuarded(), evilServer()]);
    const image = twoPlatformImage();
    const source = ref(`${factory.source.host}/harness/mine:1`);
    await publish(factory.registry, source, image);
    const mirror = {
      runId: 'run-1',
      image: 'harness/mine:1',
      source,
      sourceDigest: image.top.descriptor.digest,
      target: `${evil.host}/ci/harness/ci-addon:1`,
      build: {
        ...{ name: 'default', templateDigest: image.top.descriptor.digest, engine: 'registry' },
        ...{ platforms: [], labels: {}, annotations: {} },
      },
      scan: null,
      scanOnly: false,
    };
    expect(await endOf(factory, evil, [WORKFLOW.mirrorImage, mirror])).toMatchObject({ type: 'NotAllowed' });

    const account = {
      runId: 'run-1',
      infra: 'K8',
      registry: 'registry.example.com/ci',
      connector: 'account.harnessImage',
      valueStyle: 'qualified',
      updates: [],
    };
    const gateway = new URL('/gateway', factory.harness.url).href.replace(/\/$/, '');
    const harnesses = [
      { gateway: `http://${evil.host}/gateway`, apiKeySecret: 'env:HARNESS_API_KEY', account: ACCOUNT },
      { gateway, apiKeySecret: 'env:REGISTRY_PASSWORD', account: ACCOUNT },
    ];
    for (const harness of harnesses) {
      const update = { kind: 'update', ...account, harness: { ...harness, graphql: false } };
      const outcome = await endOf(factory, evil, [WORKFLOW.updateHarness, update]);
      const refused: Partial<AccountOutcome> = { kind: 'refused' };
      expect(outcome).toMatchObject({ ...refused, reason: expect.stringContaining('ALLOWED_') });
    }
    // A value below the connector's host, and an image elsewhere: the login stays here, and builds are not sent there.
    const harness = { gateway, apiKeySecret: 'env:HARNESS_API_KEY', account: ACCOUNT, graphql: false };
    const elsewhere = `${evil.host}/registry.example.com/x:1`;
    const updates = [{ field: 'addonTag', value: elsewhere, target: elsewhere }];
    const update = { kind: 'update', ...account, harness, updates };
    expect(await endOf(factory, evil, [WORKFLOW.updateHarness, update])).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('ALLOWED_REGISTRIES'),
    });
    expect(factory.harness.requests).toEqual([]);
  });

  it('by an image that comes from a registry of theirs', async () => {
    const [factory, evil] = await Promise.all([openGuarded(), evilServer()]);
    factory.harness.state.defaults.K8 = { addonTag: `${evil.host}/ci/harness/ci-addon:1` };
    const handle = await factory.start(WORKFLOW.planImages, { registry: 'registry.example.com/ci' });
    await handle.result().catch(() => undefined);
    expect(textOf(await handle.fetchHistory())).not.toMatch(CANARY);
    expect(evil.seen.length).toBeGreaterThan(0);
    expect(JSON.stringify(evil.seen.map(({ headers }) => headers))).not.toMatch(/authorization|c4n4ry/i);
  });
});
