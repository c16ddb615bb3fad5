import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { findChromium } from '../test/report/chromium.js';
import { sampleRun } from '../test/report/sample.js';

/** Issue 4, "Limits to hold": a report of 5,000 findings. */
const LIMITS = { megabytes: 3, paintMs: 1000 };
const TIMES = 5;

const directory = await mkdtemp(join(tmpdir(), 'image-factory-bench-'));
const browser = await chromium.launch({ executablePath: await findChromium(), args: ['--no-sandbox'] });
try {
  const url = pathToFileURL(await sampleRun(directory)).href;
  const paints: number[] = [];
  for (let turn = 0; turn < TIMES; turn++) {
    const page = await (await browser.newContext()).newPage(); // nothing is cached from the last one
    await page.goto(url);
    paints.push(
      await page.evaluate<number>(
        `new Promise((resolve) => new PerformanceObserver((list) => {
          const paint = list.getEntriesByName('first-contentful-paint')[0];
          if (paint) resolve(paint.startTime);
        }).observe({ type: 'paint', buffered: true }))`,
      ),
    );
    await page.context().close();
  }
  const megabytes = (await stat(fileURLToPath(url))).size / 1e6;
  const paintMs = paints.sort((a, b) => a - b)[Math.floor(TIMES / 2)] ?? Number.POSITIVE_INFINITY;
  process.stdout.write(
    `report of 5,000 findings: ${megabytes.toFixed(2)} MB (at most ${LIMITS.megabytes} MB)\nfirst paint: ${Math.round(paintMs)} ms, median of ${TIMES} (at most ${LIMITS.paintMs} ms)\n`,
  );
  if (megabytes > LIMITS.megabytes || paintMs > LIMITS.paintMs) process.exitCode = 1;
} finally {
  await browser.close();
  await rm(directory, { recursive: true, force: true });
}
