/**
 * Runs over very many small images: is their time linear, their history bounded, their report whole (issue 6, scale)?
 * Exit code 1 when a limit is broken.
 *   npm run bench:many [-- 250 1000 5000]
 */
import { cpus } from 'node:os';
import { ensureTools } from '../src/demo/tools.js';
import { measureFleet } from './many/factory.js';
import { brokenLimits, LIMITS, type Row } from './many/limits.js';
import { LARGE_EACH } from './many/verdicts.js';

const SIZES = [250, 1000, 5000];

const asked = process.argv.slice(2).map(Number);
if (asked.some((size) => !Number.isInteger(size) || size < 1)) throw new Error('sizes are whole numbers');
const sizes = asked.length > 0 ? asked : SIZES;
const print = (line: string): void => void process.stdout.write(`${line}\n`);

print(`${cpus().length} cores, Node ${process.version}, everything on one machine; 20 images at once.`);
print(
  `"Verdicts on record": Trivy did not run. A verdict and scanner output of each image were put where a scan leaves them; each ${LARGE_EACH}th output has 1 MB.\n`,
);
print(
  '| images | run | time | per image | of it the report | executions | most events | most history | in the report |',
);
print('|---|---|---|---|---|---|---|---|---|');
const rows: Row[] = [];
for (const size of sizes) {
  for (const row of await measureFleet(await ensureTools(['temporal', 'registry']), size)) {
    rows.push(row);
    const { images, run, seconds, reportSeconds, executions, events, bytes, reported } = row;
    const each = `${((seconds / images) * 1000).toFixed(0)} ms`;
    print(
      `| ${images} | ${run} | ${seconds.toFixed(1)} s | ${each} | ${reportSeconds.toFixed(1)} s | ${executions} | ${events} | ${(bytes / 1e6).toFixed(1)} MB | ${reported} |`,
    );
  }
}
const broken = brokenLimits(rows);
print(
  `\nLimits: ${LIMITS.events} events and ${LIMITS.bytes / 1e6} MB of history in an execution; all images in the report; from 1,000 images on, ${LIMITS.growth} times the time per image.`,
);
for (const sentence of broken) print(`BROKEN: ${sentence}`);
if (broken.length > 0) process.exitCode = 1;
else print('All hold.');
