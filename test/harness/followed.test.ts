import { describe, expect, it } from 'vitest';
import type { FieldUpdate } from '../../src/contract/outcome.js';
import { snapshotAccount, updateAccount } from '../../src/harness/account.js';
import { followedKey } from '../../src/harness/account-records.js';
import { restoreAccount } from '../../src/harness/account-restore.js';
import { discover } from '../../src/harness/discovery.js';
import { readFollowed } from '../../src/harness/followed.js';
import { type ValueStyle, valueFor } from '../../src/harness/pull-path.js';
import { FolderEvidenceStore } from '../../src/store/evidence-folder.js';
import { temporaryDirectory } from '../support/directory.js';
import { ACCOUNT, clientOf, failure, REGISTRY, simulate } from '../support/harness.js';

const infra = 'K8' as const;
const OWNER = { account: ACCOUNT, infra };

/** An account with two fields, and nights on it: discovery, snapshot and update, with every image taken for verified. */
async function account(valueStyle: ValueStyle, overrides: Record<string, string> = {}) {
  const simulator = await simulate({
    defaults: { K8: { a: 'harness/a:1', b: 'plugins/b:1' }, VM: {} },
    overrides: { K8: overrides },
  });
  const evidence = new FolderEvidenceStore(await temporaryDirectory());
  const ports = { client: clientOf(simulator), evidence };
  let nights = 0;

  const updates = async (sources: readonly ('default' | 'customer')[]): Promise<FieldUpdate[]> => {
    const config = {
      infra,
      default: await ports.client.defaultConfig(infra),
      customer: await ports.client.customerConfig(infra, { overridesOnly: true }),
      followed: await readFollowed(evidence, OWNER),
    };
    const images = discover({
      ...{ configs: [config], sources, includes: [], exclude: [], extraImages: [] },
      ...{ sourceRegistries: ['docker.io'], registry: REGISTRY },
    });
    return images.flatMap(({ target, fields }) =>
      fields.flatMap(({ field }) =>
        target === null ? [] : [{ field, target, value: valueFor(target, valueStyle, REGISTRY) }],
      ),
    );
  };
  const night = async (
    sources: readonly ('default' | 'customer')[] = ['default', 'customer'],
    attempts = 1,
  ) => {
    nights += 1;
    const run = { runId: `run-${nights}`, infra };
    const wanted = await updates(sources);
    const { key: snapshotKey } = await snapshotAccount(ports, run);
    for (let attempt = 0; attempt < attempts; attempt += 1)
      await updateAccount(ports, { ...run, registry: REGISTRY, updates: wanted, snapshotKey });
    return run;
  };
  const shown = simulator.state.overrides.K8;
  return { simulator, evidence, ports, night, shown, ships: simulator.state.defaults.K8 };
}

const ours = (style: ValueStyle, image: string): string =>
  style === 'relative' ? image : `${REGISTRY}/${image}`;

describe.each(['qualified', 'relative'] as const)(
  'night after night with default and customer, %s values',
  (style) => {
    it('a field without a pin goes with every release, and a pinned one stays', async () => {
      const { night, shown, ships } = await account(style, { b: 'plugins/b:0' });
      for (const version of ['1', '2', '3']) {
        ships.a = `harness/a:${version}`;
        ships.b = `plugins/b:${version}`;
        await night();
        expect(shown).toEqual({ a: ours(style, `harness/a:${version}`), b: ours(style, 'plugins/b:0') });
      }
    });

    it('a pin to the version of today stays too', async () => {
      const { night, shown, ships } = await account(style, { b: 'plugins/b:1' });
      await night();
      ships.b = 'plugins/b:2';
      await night();
      expect(shown.b).toBe(ours(style, 'plugins/b:1'));
    });

    it('a copy that someone goes back to is a pin, until it is reset', async () => {
      const { night, shown, ships } = await account(style);
      await night();
      ships.a = 'harness/a:2';
      await night();
      shown.a = ours(style, 'harness/a:1');
      ships.a = 'harness/a:3';
      await night();
      expect(shown.a).toBe(ours(style, 'harness/a:1'));
      delete shown.a;
      await night();
      expect(shown.a).toBe(ours(style, 'harness/a:3'));
    });

    it('repeated attempts leave the same record', async () => {
      const { night, shown, ships, evidence } = await account(style, { b: 'plugins/b:0' });
      await night(undefined, 2);
      ships.a = 'harness/a:2';
      await night(undefined, 2);
      expect(shown.a).toBe(ours(style, 'harness/a:2'));
      expect(await readFollowed(evidence, OWNER)).toEqual(new Map([['a', [ours(style, 'harness/a:2')]]]));
    });

    it.each([false, true])('an update that broke (sent: %s) does not pin anything', async (after) => {
      const { night, shown, ships, simulator } = await account(style);
      await night();
      ships.a = 'harness/a:2';
      simulator.fail({ path: 'update-config', after, how: { kind: 'reset' } });
      expect(await failure(night())).toMatchObject({ type: 'HarnessUnavailable' });
      ships.a = 'harness/a:3';
      await night();
      expect(shown.a).toBe(ours(style, 'harness/a:3'));
    });

    it('what a restore puts back goes with the next release, if it did before', async () => {
      const { night, shown, ships, ports } = await account(style, { b: 'plugins/b:0' });
      await night();
      ships.a = 'harness/a:2';
      const run = await night();
      expect(await restoreAccount(ports, run)).toMatchObject({ restored: 1, reset: 0 });
      expect(shown.a).toBe(ours(style, 'harness/a:1'));
      ships.a = 'harness/a:3';
      await night();
      expect(shown).toEqual({ a: ours(style, 'harness/a:3'), b: ours(style, 'plugins/b:0') });
    });

    it('pins that runs of the default alone went over are gone', async () => {
      const { night, shown, ships } = await account(style, { b: 'plugins/b:0' });
      await night(['default']);
      ships.b = 'plugins/b:2';
      await night();
      expect(shown.b).toBe(ours(style, 'plugins/b:2'));
    });
  },
);

describe('the record of what follows', () => {
  it('that is lost lets releases go on, for every field in our registry', async () => {
    const { night, shown, ships, evidence } = await account('qualified', {
      a: `${REGISTRY}/harness/a:1`,
      b: `${REGISTRY}/plugins/b:1`,
    });
    ships.a = 'harness/a:2';
    await night();
    expect(shown.a).toBe(`${REGISTRY}/harness/a:2`);
    expect(await readFollowed(evidence, OWNER)).toEqual(
      new Map([
        ['a', [`${REGISTRY}/harness/a:2`]],
        ['b', [`${REGISTRY}/plugins/b:1`]],
      ]),
    );
  });

  it('that is damaged stops the run before anything is changed', async () => {
    const { night, shown, evidence } = await account('qualified');
    await evidence.put(followedKey(ACCOUNT, infra), '{"version":1');
    expect(await failure(night())).toMatchObject({ type: 'SnapshotMissing' });
    expect(shown).toEqual({});
  });
});
