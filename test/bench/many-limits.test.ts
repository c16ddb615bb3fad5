import { expect, it } from 'vitest';
import { brokenLimits, type Row } from '../../bench/many/limits.js';

const row = (images: number, seconds: number, more: Partial<Row> = {}): Row => ({
  images,
  run: 'first',
  seconds,
  reportSeconds: 1,
  executions: 1,
  events: 5_000,
  bytes: 3_000_000,
  reported: images,
  scanned: null,
  ...more,
});

it('runs that grow with their images, in bounded executions, break no limit', () => {
  expect(brokenLimits([row(250, 60), row(1000, 100), row(5000, 700)])).toEqual([]);
});

it('each broken limit is a sentence that says which run broke it', () => {
  const rows = [
    row(1000, 100, { events: 10_000 }),
    row(5000, 800, { bytes: 12_000_000 }),
    row(5000, 50, { run: 'quiet', reported: 4999, scanned: 4998 }),
  ];
  expect(brokenLimits(rows)).toEqual([
    '1000 images, first: 10000 events in one execution',
    '5000 images, first: 12000000 bytes of history in one execution',
    '5000 images, first: an image takes 1.60 times as long as with 1000 images',
    '5000 images, quiet: 4999 images in the report',
    '5000 images, quiet: 4998 images have a verdict in the report',
  ]);
});
