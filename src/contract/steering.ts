/** Updates of a run, each answered with the {@link SteeringState} after it. */
export const UPDATE = { pause: 'pause', resume: 'resume', setConcurrency: 'setConcurrency' } as const;

/** How a run may be slowed: what a person changed while it runs. */
export interface SteeringState {
  version: 1;
  /** Nothing new starts; what is in work goes on to its end. */
  paused: boolean;
  /** How many images may be in work at once. */
  maxConcurrency: number;
  /** How many are. */
  running: number;
}

/** The most that `maxConcurrency` may be, in the input and by update. */
export const MAX_CONCURRENCY = 50;
