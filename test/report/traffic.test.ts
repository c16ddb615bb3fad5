import { expect, it } from 'vitest';
import { reportSchema } from '../../src/report/schema.js';
import { RunTraffic } from '../../src/report/traffic.js';
import { FolderEvidenceStore } from '../../src/store/evidence-folder.js';
import { clientFor, hostile, referenceTo } from '../registry/kit.js';
import { temporaryDirectory } from '../support/directory.js';
import { errorBody } from '../support/hostile-registry.js';
import { mirrored, summary } from '../support/report-fixture.js';
import { Reports } from './store.js';

it('the report sums what workers asked of a host, also in a step that failed, and nothing of another run', async () => {
  const directory = await temporaryDirectory();
  const reports = new Reports(directory);
  const { runId } = summary();
  const refused = {
    status: 404,
    headers: { 'ratelimit-remaining': '77;w=60' },
    body: errorBody('NAME_UNKNOWN'),
  };
  const server = await hostile([{ on: 'GET /v2/a/b/manifests/1', reply: refused }]);
  const client = clientFor();
  const ask = () => client.manifest(referenceTo(`${server.host}/a/b:1`));
  // Two workers with the same store; the second one has restarted.
  const [first, second, restarted] = [1, 2, 3].map(() => new RunTraffic(new FolderEvidenceStore(directory)));
  await first?.count(runId, ask).catch(() => undefined);
  await second?.count(runId, ask).catch(() => undefined);
  await expect(
    restarted?.count(runId, async () => {
      await ask().catch(() => undefined);
      throw new Error('the step failed');
    }),
  ).rejects.toThrow('the step failed');
  await first?.count('another', ask).catch(() => undefined);

  // A step waits a second for what it asked to be on record, and no longer.
  const records = async () =>
    (await new FolderEvidenceStore(directory).list(`runs/${runId}/traffic/`)).length;
  await expect.poll(records).toBe(3);
  const { json, html } = await reports.write([mirrored('a/b:1')]);
  const { traffic, evidence } = reportSchema.parse(JSON.parse(json));
  expect(traffic).toEqual([
    { host: server.host, requests: 3, bytesIn: expect.any(Number), bytesOut: 0, limited: 0, remaining: 77 },
  ]);
  expect(evidence.filter(({ key }) => key.includes('/traffic/'))).toHaveLength(3);
  expect(html).toContain('77 left of its limit');
});

it('a step that asked nothing writes nothing', async () => {
  const evidence = new FolderEvidenceStore(await temporaryDirectory());
  await new RunTraffic(evidence).count('run', async () => undefined);
  expect(await evidence.list('')).toEqual([]);
});
