/**
 * The product beside `regctl`, `crane`, `skopeo` and a loop of `docker` commands, on this machine, in one run (issue 5).
 *   npm run bench -- [--runs 5] [--only first-mirror,nothing-changed]
 * It prints the table and, where all rows were measured, writes bench/RESULTS.md.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '../src/common/errors.js';
import { startRegistry } from '../src/demo/services/registry.js';
import { RegistryClient } from '../src/registry/client.js';
import { anonymous } from '../src/registry/credentials.js';
import type { Bench } from './compare/bench.js';
import { Factory } from './compare/factory.js';
import { IMAGES, publishBenchFleet } from './compare/fleet.js';
import { type Line, tableOf } from './compare/line.js';
import { peersOf } from './compare/peers.js';
import { type Programs, preparePrograms } from './compare/programs.js';
import { resultsOf } from './compare/results.js';
import { ROWS, selectRows } from './compare/rows.js';

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '5' }, only: { type: 'string' } },
});
const rows = selectRows(values.only);
const runs = Number(values.runs);
if (!Number.isInteger(runs) || runs < 1) throw new Error('--runs wants a whole number from 1 on');

const began = performance.now();
const log = (line: string): void => {
  process.stderr.write(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${line}\n`);
};
const stops: (() => Promise<unknown>)[] = [];
const lines: Line[] = [];
const versions: Programs['versions'] = {};
const absent: string[] = [];
try {
  const directory = await mkdtemp(join(tmpdir(), 'image-factory-bench-'));
  stops.push(() => rm(directory, { recursive: true, force: true }));
  const programs = await preparePrograms(directory, log);
  stops.push(async () => programs.docker?.stop());
  Object.assign(versions, programs.versions);
  absent.push(...programs.absent);
  const sourceStorage = join(directory, 'source');
  const source = await startRegistry({ program: programs.tools.registry.path, storage: sourceStorage });
  stops.push(() => source.stop());
  const client = new RegistryClient({ credentials: anonymous, insecureHosts: [] });
  stops.push(() => client.close());
  log('publishing the fleet');
  const bytes = await publishBenchFleet(client, source.address);
  const images = IMAGES.map((repository) => `${repository}:1`);
  const factory = await Factory.start(programs.tools.temporal.path, directory, images);
  stops.push(() => factory.stop());
  const peers = peersOf(programs, directory);
  const bench: Bench = {
    ...{ programs, peers, factory, source: source.address, sourceStorage, client, images, bytes },
    ...{ runs, directory, log },
  };
  for (const { name, measure } of rows) {
    log(name);
    try {
      lines.push(...(await measure(bench)));
    } catch (error) {
      // The other rows are worth having all the same, and this one is not to be missing without a word.
      const measured = `could not be measured: ${messageOf(error)}`;
      lines.push({ work: name, peers: '', reach: '', measured, met: false });
    }
  }
} finally {
  for (const stop of stops.reverse()) await stop();
}
process.stdout.write(`${tableOf(lines)}\n`);
if (rows.length === ROWS.length) {
  const minutes = (performance.now() - began) / 60_000;
  const text = resultsOf({ lines, runs, minutes, versions, absent, date: new Date() });
  await writeFile(new URL('./RESULTS.md', import.meta.url), text);
}
