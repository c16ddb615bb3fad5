import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import pLimit from 'p-limit';
import { startRegistry } from '../../src/demo/services/registry.js';
import { asideIn, clearAway } from '../clear.js';
import { FLEET, largeImages, publishFleet } from './fleet.js';
import type { MirrorFigures, MirrorOptions } from './mirror.js';

/**
 * The data path beside `regctl image mod`, in alternating order, each into registries with empty targets:
 * `tsx bench/data-path/run.ts [--runs 5] [--large 5] [--alone] [--node-options …]`. Needs `registry`, `regctl` and
 * `crane` on PATH.
 */
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    /** So many images of 1.5 GB instead of the fleet. */
    large: { type: 'string' },
    /** Ours only. */
    alone: { type: 'boolean', default: false },
    /** For the measured process, e.g. `--cpu-prof`. */
    'node-options': { type: 'string', default: '' },
    'no-verify': { type: 'boolean', default: false },
    validate: { type: 'boolean', default: false },
  },
});
const CONCURRENCY = 5;
const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url));
const LABELS = { 'com.example.team': 'platform' };
const run = promisify(execFile);
const directory = await mkdtemp(join(tmpdir(), 'image-factory-data-path-'));
const print = (line: string): boolean => process.stdout.write(`${line}\n`);
const median = (figures: number[]): number =>
  figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)] ?? Number.NaN;

const source = await startRegistry({ storage: join(directory, 'source') });
const shape = values.large === undefined ? FLEET : largeImages(Number(values.large));
const images = await publishFleet(source.address, shape);

async function intoFreshTarget<T>(work: (target: string) => Promise<T>): Promise<T> {
  const storage = join(directory, 'target');
  const target = await startRegistry({ storage });
  try {
    const result = await work(target.address);
    if (values.validate)
      for (const image of images) await run('crane', ['validate', '--remote', `${target.address}/${image}`]);
    return result;
  } finally {
    await target.stop();
    await clearAway(storage, asideIn(directory));
  }
}

const ours = (): Promise<MirrorFigures> =>
  intoFreshTarget(async (target) => {
    const contentDir = join(directory, 'ours', 'content');
    const options: MirrorOptions = {
      ...{ source: source.address, target, images, contentDir, labels: LABELS },
      concurrency: CONCURRENCY,
      verify: !values['no-verify'],
      warm: values.large === undefined,
    };
    const flags = values['node-options'].split(' ').filter(Boolean);
    const args = [...flags, '--import', 'tsx', CHILD, JSON.stringify(options)];
    const { stdout, stderr } = await run(process.execPath, args);
    process.stderr.write(stderr);
    await clearAway(join(directory, 'ours'), asideIn(directory));
    return JSON.parse(stdout);
  });

const regctl = (): Promise<number> =>
  intoFreshTarget(async (target) => {
    const config = { ...process.env, HOME: directory };
    for (const host of [source.address, target])
      await run('regctl', ['registry', 'set', '--tls', 'disabled', host], { env: config });
    const began = performance.now();
    await pLimit(CONCURRENCY).map(images, (image) => {
      const label = `${Object.keys(LABELS)[0]}=${Object.values(LABELS)[0]}`;
      const names = [`${source.address}/${image}`, '--create', `${target}/${image}`];
      return run('regctl', ['image', 'mod', ...names, '--label', label], { env: config });
    });
    return performance.now() - began;
  });

const mine: MirrorFigures[] = [];
const theirs: number[] = [];
for (let number = 0; number < Number(values.runs); number++) {
  const one = await ours();
  mine.push(one);
  if (!values.alone) theirs.push(await regctl());
  const { ms, cpuMs, requests, bytesIn, bytesOut, maxRssMb } = one;
  print(
    `ours ${(ms / 1000).toFixed(2)} s, CPU ${(cpuMs / 1000).toFixed(2)} s, ${requests} requests, in ${(bytesIn / 1e6).toFixed(1)} MB, out ${(bytesOut / 1e6).toFixed(1)} MB, ${maxRssMb.toFixed(0)} MB${values.alone ? '' : `; regctl ${((theirs.at(-1) ?? 0) / 1000).toFixed(2)} s`}`,
  );
}
const time = median(mine.map(({ ms }) => ms)) / 1000;
const peer = median(theirs) / 1000;
print(
  `median: ours ${time.toFixed(2)} s, CPU ${(median(mine.map(({ cpuMs }) => cpuMs)) / 1000).toFixed(2)} s; regctl ${peer.toFixed(2)} s; ratio ${(time / peer).toFixed(2)}`,
);
await source.stop();
await rm(directory, { recursive: true, force: true });
