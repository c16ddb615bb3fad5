import type { Measured } from './measured.js';

/** Of an odd number the middle one, of an even one the lower of the two in the middle. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN;
}

/** `5.31 s (5.02–5.64)`: median and range. */
export function spread(seconds: readonly number[]): string {
  const range = `${Math.min(...seconds).toFixed(2)}–${Math.max(...seconds).toFixed(2)}`;
  return seconds.length > 1
    ? `${median(seconds).toFixed(2)} s (${range})`
    : `${median(seconds).toFixed(2)} s`;
}

export interface Contestant {
  name: string;
  /**
   * One measured run over these images, with everything around it that is not measured.
   *
   * @param last whether no more runs come: the copies are then looked at more closely.
   */
  once(images: readonly string[], last: boolean): Promise<Measured>;
}

/**
 * Runs contestants in turn, `runs` times over, in an order that turns round each time, after one run of one image that
 * warms each up and is not counted.
 *
 * @returns the seconds of each contestant's runs, and those of all cores meanwhile, by name.
 */
export async function alternate(
  contestants: readonly Contestant[],
  images: readonly string[],
  runs: number,
  log: (line: string) => void,
): Promise<{ times: Record<string, number[]>; cpu: Record<string, number[]> }> {
  const times: Record<string, number[]> = {};
  const cpu: Record<string, number[]> = {};
  for (const { name, once } of contestants) {
    await once(images.slice(0, 1), true);
    times[name] = [];
    cpu[name] = [];
  }
  for (let run = 0; run < runs; run++) {
    for (const { name, once } of run % 2 === 0 ? contestants : contestants.toReversed()) {
      const one = await once(images, run === runs - 1);
      times[name]?.push(one.seconds);
      cpu[name]?.push(one.cpu);
      log(`  ${run + 1} of ${runs}: ${name} ${one.seconds.toFixed(2)} s`);
    }
  }
  return { times, cpu };
}
