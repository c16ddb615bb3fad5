import { FactoryError } from '../../common/errors.js';
import { TooLong } from './docker-client.js';
import { plainText } from './plain-text.js';

const MINUTE_MS = 60_000;

/** How long an image's build may take, in milliseconds. */
export interface BuildLimits {
  /** Until one of the worker's lanes is free. */
  waitMs: number;
  /** From then on, in all: the source, every platform's way into the engine, its instructions, and its way back. */
  imageMs: number;
  /** Of one platform's instructions. */
  platformMs: number;
}

/** All together below what an attempt of the activity may take: a build ends by itself, and its log is kept. */
export const BUILD_LIMITS: BuildLimits = {
  waitMs: 80 * MINUTE_MS,
  imageMs: 90 * MINUTE_MS,
  platformMs: 40 * MINUTE_MS,
};

/** The time of one image, from the moment at which it has a lane. */
export class BuildTime {
  /** Fires when it is over. */
  readonly signal: AbortSignal;
  #instructionsMs = 0;
  #platform = '';

  constructor(private readonly limits: BuildLimits) {
    this.signal = AbortSignal.timeout(limits.imageMs);
  }

  /** Runs a platform's instructions. @param run gets what they may take, in milliseconds */
  async instructions<T>(platform: string, run: (limitMs: number) => Promise<T>): Promise<T> {
    const begunAt = performance.now();
    this.#platform = platform;
    try {
      return await run(this.limits.platformMs);
    } finally {
      this.#instructionsMs += performance.now() - begunAt;
    }
  }

  /**
   * What it means that time is over: a mistake of the template's where its instructions took most of it, since they would
   * the next time, too; else something on the way is slow, and another attempt finds what this one brought.
   *
   * @param printed last, by the instructions
   * @returns undefined when `error` is about something else
   */
  failure(error: unknown, image: string, printed: readonly string[]): FactoryError | undefined {
    const { imageMs, platformMs } = this.limits;
    const endless = error instanceof TooLong;
    if (!endless && (!this.signal.aborted || error instanceof FactoryError)) return undefined;
    const last = printed.length === 0 ? '' : `; it printed: ${plainText(printed.join(' | '), 400)}`;
    if (endless)
      return new FactoryError(
        'BuildFailed',
        `${image} for ${this.#platform}: the template's dockerfile has no end within ${minutes(platformMs)}${last}`,
      );
    if (this.#instructionsMs >= imageMs / 2)
      return new FactoryError(
        'BuildFailed',
        `${image}: the template's dockerfile has no end for all platforms within ${minutes(imageMs)}, the last one was ${this.#platform}${last}`,
      );
    return new FactoryError(
      'EngineUnavailable',
      `${image} was not built within ${minutes(imageMs)}, of which its instructions took ${minutes(this.#instructionsMs)}: look at what is slow, the source's registry, the worker's disk, or the Docker Engine`,
    );
  }
}

/** An image that got no lane in time: another attempt may find another worker. */
export const noTurn = (image: string, { waitMs }: BuildLimits): FactoryError =>
  new FactoryError(
    'EngineUnavailable',
    `${image} waited ${minutes(waitMs)} for builds of other images on this worker: give it more workers, or lower maxConcurrency`,
  );

const minutes = (ms: number): string => {
  const count = Math.round(ms / MINUTE_MS);
  return count === 1 ? '1 minute' : `${count} minutes`;
};
