/**
 * Runs whose workers are killed (SIGKILL) at random moments and replaced: does every image end verified, or truthfully
 * reported, and is none lost (issue 6)? The seed decides how many workers a run has and when they die.
 *   npm run bench:kills -- --runs 30 --seed 1 --parallel 2
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import pLimit from 'p-limit';
import { sampleFleet } from '../src/demo/fleet/fleet.js';
import { publishFleet, publishVulnerabilityDb } from '../src/demo/fleet/publish.js';
import { startRegistry } from '../src/demo/services/registry.js';
import { startTemporal } from '../src/demo/services/temporal.js';
import { ensureTools } from '../src/demo/tools.js';
import { RegistryClient } from '../src/registry/client.js';
import { anonymous } from '../src/registry/credentials.js';
import { type KilledRun, killedRun, type Place } from './killed-run.js';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    parallel: { type: 'string', default: '2' },
  },
});
const [runs, seed, parallel] = [Number(values.runs), Number(values.seed), Number(values.parallel)];

/** Mulberry32: small, and the same on every machine. */
function random(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const row = (cells: readonly (string | number)[]): void => print(`| ${cells.join(' | ')} |`);

const tools = await ensureTools(['temporal', 'registry', 'trivy', 'crane']);
process.env.PATH = [...new Set(Object.values(tools).map(({ path }) => dirname(path))), process.env.PATH].join(
  delimiter,
);
const directory = await mkdtemp(join(tmpdir(), 'image-factory-kills-'));
const [temporal, source, target] = await Promise.all([
  startTemporal({ uiPort: false }),
  startRegistry(),
  startRegistry(),
]);
const connection = await Connection.connect({ address: temporal.address });
const registry = new RegistryClient({ credentials: anonymous, insecureHosts: [] });
let bad = 0;
try {
  const fleet = sampleFleet();
  await publishFleet(registry, source.address, fleet);
  const updatedAt = new Date().toISOString();
  const place: Place = {
    client: new Client({ connection }),
    temporal: temporal.address,
    source: source.address,
    target: target.address,
    databases: await publishVulnerabilityDb(registry, source.address, { updatedAt }),
    directory,
    fleet,
  };
  print(`${runs} runs, ${fleet.length} images each; seed ${seed}\n`);
  row(['run', 'workers', 'scan', 'kills after (s)', 'steps repeated', 'end', 'images', 'seconds', 'truth']);
  row(Array.from({ length: 9 }, () => '---'));
  const limit = pLimit(parallel);
  const ends = await limit.map(
    Array.from({ length: runs }, (_, index) => index + 1),
    async (number) => {
      // A sequence of its own for each run: what runs beside it does not change what happens in it.
      const end = await killedRun(place, number, random(seed * 1_000 + number));
      show(number, end);
      return end;
    },
  );
  bad = ends.filter(({ faults }) => faults.length > 0).length;
  const images = ends.reduce((sum, { verified, told }) => sum + verified + told, 0);
  const kills = ends.reduce((sum, end) => sum + end.kills.length, 0);
  print(
    `\n${kills} kills in ${runs} runs (seed ${seed}): ${images} of ${runs * fleet.length} images verified by crane or truthfully reported; ${bad} runs with faults`,
  );
} finally {
  await registry.close();
  await connection.close();
  await Promise.all([temporal.stop(), source.stop(), target.stop()]);
  await rm(directory, { recursive: true, force: true });
}
process.exitCode = bad > 0 ? 1 : 0;

function show(number: number, end: KilledRun): void {
  const images = `${end.verified} verified, ${end.told} reported as not mirrored`;
  const truth = end.faults.length === 0 ? 'holds' : end.faults.join('; ');
  const kills = end.kills.map((seconds) => seconds.toFixed(1)).join(', ') || 'none';
  row([
    number,
    end.workers,
    end.scan ? 'yes' : 'no',
    kills,
    end.repeated,
    end.type,
    images,
    end.seconds,
    truth,
  ]);
}
