import type { RunFigures } from './run.js';

/** Issue 6, "Scale": of one execution; and how much more an image may cost in a run of 5,000 than in one of 1,000. */
export const LIMITS = { events: 10_000, bytes: 10_000_000, growth: 1.5 };
/** In smaller runs what each run costs once hides what an image costs. */
const COMPARED_FROM = 1_000;

/** What one run showed, and which one it was. */
export interface Row extends RunFigures {
  images: number;
  run: string;
}

const perImage = ({ seconds, images }: Row): number => seconds / images;

/** What the runs broke, a sentence each; empty when all limits hold. */
export function brokenLimits(rows: readonly Row[]): string[] {
  return rows.flatMap((row) => {
    const { images, run, events, bytes, reported, scanned } = row;
    const what = `${images} images, ${run}:`;
    const broken: string[] = [];
    if (events >= LIMITS.events) broken.push(`${what} ${events} events in one execution`);
    if (bytes >= LIMITS.bytes) broken.push(`${what} ${bytes} bytes of history in one execution`);
    if (reported !== images) broken.push(`${what} ${reported} images in the report`);
    if (scanned !== null && scanned !== images)
      broken.push(`${what} ${scanned} images have a verdict in the report`);
    const base = baseOf(row, rows);
    if (base !== undefined && perImage(row) > LIMITS.growth * perImage(base)) {
      const times = (perImage(row) / perImage(base)).toFixed(2);
      broken.push(`${what} an image takes ${times} times as long as with ${base.images} images`);
    }
    return broken;
  });
}

/** The smallest run of the kind whose time per image says something. */
function baseOf(row: Row, rows: readonly Row[]): Row | undefined {
  const smaller = rows.filter(
    ({ run, images }) => run === row.run && images >= COMPARED_FROM && images < row.images,
  );
  return smaller.sort((a, b) => a.images - b.images)[0];
}
