import { describe, expect, it } from 'vitest';
import type { FieldUpdate } from '../../src/contract/outcome.js';
import {
  type AccountPorts,
  readBackAccount,
  snapshotAccount,
  updateAccount,
} from '../../src/harness/account.js';
import { checkAccount } from '../../src/harness/account-check.js';
import { restoreAccount } from '../../src/harness/account-restore.js';
import { formatReference, parseReference } from '../../src/registry/reference.js';
import { FolderEvidenceStore } from '../../src/store/evidence-folder.js';
import { temporaryDirectory } from '../support/directory.js';
import { clientOf, failure, REGISTRY, simulate } from '../support/harness.js';

const update = (field: string, image: string): FieldUpdate => {
  const target = formatReference(parseReference(`${REGISTRY}/${image}`));
  return { field, value: target, target };
};
const ADDON = update('addonTag', 'harness/ci-addon:1.16.92');
const CLONE = update('gitCloneTag', 'harness/drone-git:1.6.9-rootless');
const GONE = update('goneTag', 'harness/gone:1');
const PINNED = { gitCloneTag: 'harness/drone-git:1.5.4-rootless', s3UploadTag: 'plugins/s3:1.0.0' };
const RUN = { runId: 'run-1', infra: 'K8' as const };
const BEFORE = 'runs/run-1/account-K8-before.json';
const APPLIED = 'runs/run-1/account-K8-applied.json';

async function world() {
  const simulator = await simulate({ overrides: { K8: PINNED } });
  const evidence = new FolderEvidenceStore(await temporaryDirectory());
  const ports: AccountPorts = { client: clientOf(simulator), evidence };
  const posts = () => simulator.requests.filter(({ method }) => method === 'POST');
  const set = (...updates: FieldUpdate[]) =>
    updateAccount(ports, { ...RUN, registry: REGISTRY, updates, snapshotKey: BEFORE });
  const stored = async (key: string) => JSON.parse((await evidence.get(key))?.toString() ?? 'null');
  return { simulator, overrides: simulator.state.overrides.K8, evidence, ports, posts, set, stored };
}

describe('the check before an update', () => {
  const check = async (connector: object, updates = [ADDON, CLONE]) => {
    const simulator = await simulate({ connectors: [{ identifier: 'harnessImage', ...connector }] });
    const task = { connector: 'account.harnessImage', registry: REGISTRY, updates };
    return checkAccount({ client: clientOf(simulator) }, task);
  };

  it('passes when connector and paths are right', async () => {
    await check({ dockerRegistryUrl: `https://${REGISTRY}` });
  });

  it('names every fault at once: the failed test and the wrong paths', async () => {
    const connector = { dockerRegistryUrl: 'https://other.example.com', testFailure: 'Unauthorized' };
    const error = await failure(check(connector));
    expect(error).toMatchObject({ type: 'ConnectorUnusable' });
    for (const part of [
      'its test fails in Harness (Error Encountered (Unauthorized))',
      'addonTag: ',
      'gitCloneTag: ',
    ]) {
      expect(String(error)).toContain(part);
    }
  });

  it('refuses paths that Harness would compute otherwise than pushed, a few of many by name', async () => {
    const updates = Array.from({ length: 12 }, (_, index) => update(`field${index}`, `a/b${index}:1`));
    const error = await failure(check({ dockerRegistryUrl: 'https://other.example.com' }, updates));
    expect(error).toMatchObject({ type: 'PullPathMismatch', retryable: false });
    expect(String(error)).toMatch(
      /field0: Harness would pull other\.example\.com\/.* pushed to .*7 more fields/,
    );
  });
});

describe('the snapshot', () => {
  it('records overrides and defaults, once per run', async () => {
    const { ports, overrides, stored } = await world();
    expect(await snapshotAccount(ports, RUN)).toEqual({ key: BEFORE });
    overrides.gitCloneTag = 'changed:1';
    expect(await snapshotAccount(ports, RUN)).toEqual({ key: BEFORE });
    expect(await stored(BEFORE)).toMatchObject({
      version: 1,
      account: 'ACCOUNT_ID',
      infra: 'K8',
      overrides: PINNED,
      defaults: { addonTag: 'harness/ci-addon:1.16.92' },
    });
  });
});

describe('an update', () => {
  it('sets what differs in one batch, and says what was there before', async () => {
    const { ports, overrides, posts, set } = await world();
    await snapshotAccount(ports, RUN);
    overrides.addonTag = ADDON.value;
    const s3 = update('s3UploadTag', 'plugins/s3:1.5.3');
    expect(await set(ADDON, CLONE, s3)).toEqual({
      updated: [
        { ...ADDON, before: null },
        { ...CLONE, before: PINNED.gitCloneTag },
        { ...s3, before: PINNED.s3UploadTag },
      ],
      rejected: [],
    });
    expect(posts()).toHaveLength(1);
    expect(posts()[0]?.body).toEqual([CLONE, s3].map(({ field, value }) => ({ field, value })));
  });

  it('drops rejected fields, reports them and sends the rest', async () => {
    const { ports, overrides, posts, set, stored } = await world();
    await snapshotAccount(ports, RUN);
    const other = { ...GONE, field: 'otherGoneTag' };
    const { updated, rejected } = await set(GONE, ADDON, other);
    expect(updated).toEqual([{ ...ADDON, before: null }]);
    expect(rejected).toEqual([
      {
        field: 'goneTag',
        value: GONE.value,
        reason: expect.stringContaining('Field goneTag does not exist'),
      },
      { field: 'otherGoneTag', value: GONE.value, reason: expect.stringContaining('does not exist') },
    ]);
    expect(posts()).toHaveLength(3);
    expect(overrides).toEqual({ ...PINNED, addonTag: ADDON.value });
    expect(await stored(APPLIED)).toMatchObject({ fields: [{ field: 'addonTag', before: null }] });
  });

  it('of nothing but rejected fields ends too', async () => {
    const { ports, set } = await world();
    await snapshotAccount(ports, RUN);
    expect(await set(GONE)).toMatchObject({ updated: [], rejected: [{ field: 'goneTag' }] });
  });

  it('does nothing without a snapshot', async () => {
    const { posts, set } = await world();
    expect(await failure(set(ADDON))).toMatchObject({ type: 'SnapshotMissing' });
    expect(posts()).toEqual([]);
  });

  it.each([
    ['before it was made', false],
    ['after it was made', true],
  ])('whose answer is lost %s reports the same on the next attempt', async (_when, done) => {
    const { ports, simulator, set, overrides, stored } = await world();
    await snapshotAccount(ports, RUN);
    simulator.fail({ path: 'update-config', after: done, how: { kind: 'reset' } });
    expect(await failure(set(ADDON, CLONE))).toMatchObject({ type: 'HarnessUnavailable' });
    expect(await stored(APPLIED)).toMatchObject({
      fields: [{ field: 'addonTag' }, { field: 'gitCloneTag' }],
    });
    expect(overrides.addonTag).toBe(done ? ADDON.value : undefined);

    await snapshotAccount(ports, RUN);
    expect(await set(ADDON, CLONE)).toEqual({
      updated: [
        { ...ADDON, before: null },
        { ...CLONE, before: PINNED.gitCloneTag },
      ],
      rejected: [],
    });
    expect(await restoreAccount(ports, RUN)).toEqual({ restored: 1, reset: 1, leftAlone: [], rejected: [] });
    expect(overrides).toEqual(PINNED);
  });

  it('that Harness refuses as a whole is a failure', async () => {
    const { ports, simulator, set } = await world();
    await snapshotAccount(ports, RUN);
    const body = JSON.stringify({ code: 400, message: 'Field otherTag does not exist for infra type: K8' });
    simulator.fail({ path: 'update-config', how: { kind: 'answer', status: 400, body } });
    expect(await failure(set(ADDON))).toMatchObject({ type: 'HarnessRejected' });
  });
});

describe('the read-back', () => {
  it('fails with the fields that do not show, until they do', async () => {
    const { ports, simulator, set } = await world();
    await snapshotAccount(ports, RUN);
    simulator.state.readLag = 2;
    const updates = [ADDON, CLONE];
    await set(...updates);
    for (const _attempt of [1, 2]) {
      expect(await failure(readBackAccount(ports, { ...RUN, updates }))).toMatchObject({
        type: 'HarnessNotUpdated',
        retryable: true,
        message: expect.stringContaining('addonTag, gitCloneTag'),
      });
    }
    await readBackAccount(ports, { ...RUN, updates });
  });
});

describe('a restore', () => {
  it('puts back values, resets fields that had none, and touches nothing else', async () => {
    const { ports, set, overrides, posts } = await world();
    await snapshotAccount(ports, RUN);
    await set(ADDON, CLONE);
    overrides.s3UploadTag = 'plugins/s3:changed-by-a-person';
    const sent = posts().length;
    expect(await restoreAccount(ports, RUN)).toEqual({ restored: 1, reset: 1, leftAlone: [], rejected: [] });
    expect(overrides).toEqual({ ...PINNED, s3UploadTag: 'plugins/s3:changed-by-a-person' });
    expect(
      posts()
        .slice(sent)
        .map(({ path, body }) => [path.split('/').at(-1), body]),
    ).toEqual([
      ['update-config', [{ field: 'gitCloneTag', value: PINNED.gitCloneTag }]],
      ['reset-config', [{ field: 'addonTag' }]],
    ]);
  });

  it('gives the same answer again, without another post', async () => {
    const { ports, set, posts } = await world();
    await snapshotAccount(ports, RUN);
    await set(ADDON, CLONE);
    const first = await restoreAccount(ports, RUN);
    const sent = posts().length;
    expect(await restoreAccount(ports, RUN)).toEqual(first);
    expect(posts()).toHaveLength(sent);
  });

  it('leaves alone what someone changed after the run, and says so', async () => {
    const { ports, set, overrides } = await world();
    await snapshotAccount(ports, RUN);
    await set(ADDON, CLONE);
    overrides.gitCloneTag = 'harness/drone-git:by-a-person';
    expect(await restoreAccount(ports, RUN)).toEqual({
      restored: 0,
      reset: 1,
      leftAlone: ['gitCloneTag'],
      rejected: [],
    });
    expect(overrides).toEqual({ ...PINNED, gitCloneTag: 'harness/drone-git:by-a-person' });
  });

  it('goes on without a field that Harness no longer has', async () => {
    const { ports, set, overrides, simulator } = await world();
    await snapshotAccount(ports, RUN);
    await set(ADDON, CLONE);
    delete simulator.state.defaults.K8.addonTag;
    const expected = {
      restored: 1,
      reset: 0,
      leftAlone: [],
      rejected: [{ field: 'addonTag', reason: expect.stringContaining('Field addonTag does not exist') }],
    };
    expect(await restoreAccount(ports, RUN)).toEqual(expected);
    expect(overrides.gitCloneTag).toBe(PINNED.gitCloneTag);
    expect(await restoreAccount(ports, RUN)).toEqual(expected);
  });

  it('tells what Harness refuses from what someone changed', async () => {
    const { ports, set, overrides, simulator } = await world();
    await snapshotAccount(ports, RUN);
    const s3 = update('s3UploadTag', 'plugins/s3:1.5.3');
    await set(ADDON, CLONE, s3);
    overrides.gitCloneTag = 'harness/drone-git:by-a-person';
    delete simulator.state.defaults.K8.s3UploadTag;
    expect(await restoreAccount(ports, RUN)).toEqual({
      restored: 0,
      reset: 1,
      leftAlone: ['gitCloneTag'],
      rejected: [{ field: 's3UploadTag', reason: expect.stringContaining('s3UploadTag') }],
    });
    expect(overrides.s3UploadTag).toBe(s3.value);
  });

  it('is not done before the account shows it', async () => {
    const { ports, set, simulator } = await world();
    await snapshotAccount(ports, RUN);
    await set(CLONE);
    simulator.state.readLag = 1;
    expect(await failure(restoreAccount(ports, RUN))).toMatchObject({ type: 'HarnessNotUpdated' });
    simulator.state.readLag = 0;
    expect(await restoreAccount(ports, RUN)).toEqual({ restored: 1, reset: 0, leftAlone: [], rejected: [] });
  });

  it('of a run that changed nothing changes nothing', async () => {
    const { ports, posts } = await world();
    await snapshotAccount(ports, RUN);
    expect(await restoreAccount(ports, RUN)).toEqual({ restored: 0, reset: 0, leftAlone: [], rejected: [] });
    expect(posts()).toEqual([]);
  });

  it.each([
    ['that is not there', undefined, /left no snapshot/],
    ['that is damaged', '{"version":1', /is damaged/],
    [
      'of another account',
      JSON.stringify({
        ...{ version: 1, runId: 'run-1', account: 'OTHER', infra: 'K8' },
        ...{ takenAt: '2026-01-01T00:00:00Z', overrides: {}, defaults: {} },
      }),
      /is of account OTHER/,
    ],
  ])('refuses a snapshot %s', async (_what, text, message) => {
    const { ports, evidence, posts } = await world();
    if (text !== undefined) await evidence.put(BEFORE, text);
    expect(await failure(restoreAccount(ports, RUN))).toMatchObject({
      type: 'SnapshotMissing',
      message: expect.stringMatching(message),
    });
    expect(posts()).toEqual([]);
  });
});
