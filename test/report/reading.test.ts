import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { DiscoveredImage } from '../../src/contract/run.js';
import { readDiscovery, writeDiscovery } from '../../src/mirror/pages.js';
import { readInputs } from '../../src/report/inputs.js';
import { RunTraffic } from '../../src/report/traffic.js';
import { recordOutcomes } from '../../src/report/write.js';
import { FolderEvidenceStore } from '../../src/store/evidence-folder.js';
import { clientFor, hostile, referenceTo } from '../registry/kit.js';
import { temporaryDirectory } from '../support/directory.js';
import { summary, unchanged, verdict } from '../support/report-fixture.js';

/** A store that is far: it says how many calls were open at once. */
class FarStore extends FolderEvidenceStore {
  most = 0;
  #open = 0;

  override get(key: string, signal?: AbortSignal): Promise<Buffer | undefined> {
    return this.#far(() => super.get(key, signal));
  }

  override put(key: string, bytes: Buffer | string, signal?: AbortSignal) {
    return this.#far(() => super.put(key, bytes, signal));
  }

  async #far<T>(call: () => Promise<T>): Promise<T> {
    this.most = Math.max(this.most, ++this.#open);
    try {
      await setImmediate(); // whoever may come at the same time has come
      return await call();
    } finally {
      this.#open--;
    }
  }
}

const farStore = async (): Promise<FarStore> => new FarStore(await temporaryDirectory());

it('a quiet night reads the verdicts of its images many at once, and not all at once', async () => {
  const evidence = await farStore();
  const { runId } = summary();
  const keys = Array.from({ length: 200 }, (_, n) => `verdicts/${n}.json`);
  for (const key of keys) await evidence.put(key, JSON.stringify(verdict()));
  const page = await recordOutcomes(
    evidence,
    runId,
    0,
    keys.map((key, n) => unchanged(`quiet/image-${n}:1`, key)),
  );
  const inputs = await readInputs(evidence, summary({ pages: [page.key] }));
  expect([...inputs.verdicts.keys()].sort()).toEqual([...keys].sort());
  expect(evidence.most).toBe(32);
});

it('the pages of what was discovered are written some at once, and named in order', async () => {
  const evidence = await farStore();
  const images = Array.from(
    { length: 1001 },
    (_, n): DiscoveredImage => ({ name: `image-${n}:1`, candidates: [], target: null, fields: [] }),
  );
  const { signal } = new AbortController();
  const keys = await writeDiscovery(evidence, 'run', images, signal);
  expect(evidence.most).toBe(8);
  const read = await Promise.all(keys.map((key) => readDiscovery(evidence, key, signal)));
  expect(read.flat()).toEqual(images);
});

it('a step does not wait for a store that is slow to take the counts, which are saved all the same', async () => {
  let release = (): void => {};
  const slow = new Promise<void>((resolve) => {
    release = resolve;
  });
  const directory = await temporaryDirectory();
  let saved: Promise<unknown> | undefined;
  class SlowStore extends FolderEvidenceStore {
    override put(key: string, bytes: Buffer | string) {
      const put = slow.then(() => super.put(key, bytes));
      saved = put;
      return put;
    }
  }
  const evidence = new SlowStore(directory);
  const server = await hostile([{ on: 'GET /v2/a/b/manifests/1', reply: { status: 404 } }]);
  const ask = () => clientFor().manifest(referenceTo(`${server.host}/a/b:1`));
  await new RunTraffic(evidence).count('run', () => ask().catch(() => undefined));
  expect(await evidence.list('runs/run/traffic/')).toEqual([]);
  release();
  await saved;
  expect(await evidence.list('runs/run/traffic/')).toHaveLength(1);
});
