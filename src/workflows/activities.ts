import { ActivityCancellationType, type ActivityOptions, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../contract/activities.js';

/**
 * Everything longer than this beats, so a dead worker is noticed within it and the step goes to another one
 * (design: with 60 s the SDK's throttle hides progress for 48 s).
 */
const HEARTBEAT = '15s';

const RETRY = { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' } as const;

/**
 * Steps that write or run programs have ended when their workflow ends: whoever runs under its id next is alone.
 * A dead worker's step counts as ended after one heartbeat timeout.
 */
const BEATING = {
  heartbeatTimeout: HEARTBEAT,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
} as const;

/** One profile for each kind of work. `scheduleToCloseTimeout` bounds all attempts together, waiting for a worker included. */
const profile = (options: ActivityOptions) => proxyActivities<Activities>({ retry: RETRY, ...options });

/** Input, environment and Harness's API: short questions. */
export const harness = profile({ startToCloseTimeout: '30s', scheduleToCloseTimeout: '30m' });

/** Harness tries the connector itself, maybe through a delegate, and the images that will be set are looked at whole. */
export const checking = profile({
  startToCloseTimeout: '10m',
  scheduleToCloseTimeout: '30m',
  ...BEATING,
});

/** Asks the registries about one page of images. */
export const planning = profile({
  startToCloseTimeout: '5m',
  scheduleToCloseTimeout: '1h',
  ...BEATING,
});

export const scanning = profile({
  startToCloseTimeout: '15m',
  scheduleToCloseTimeout: '2h',
  ...BEATING,
});

/** Programs that templates name; each call sets its own limits. */
export const stepping = profile({
  startToCloseTimeout: '15m',
  scheduleToCloseTimeout: '3h',
  ...BEATING,
});

/** Asks and clears a Docker Engine. */
export const engineering = profile({
  startToCloseTimeout: '5m',
  scheduleToCloseTimeout: '30m',
  ...BEATING,
});

export const building = profile({
  // A Docker Engine's builds wait for each other, and their own time limits tell a mistake from a dead worker.
  startToCloseTimeout: '3h',
  scheduleToCloseTimeout: '6h',
  ...BEATING,
});

export const pushing = profile({
  startToCloseTimeout: '30m',
  scheduleToCloseTimeout: '3h',
  ...BEATING,
});

export const verifying = profile({
  startToCloseTimeout: '5m',
  scheduleToCloseTimeout: '1h',
  ...BEATING,
});

/** Writes one page of outcomes. */
export const reporting = profile({ startToCloseTimeout: '1m', scheduleToCloseTimeout: '1h' });

/** Reads a verdict for each image and the worst scans' output: thousands of requests where the store is far. */
export const writingReport = profile({
  startToCloseTimeout: '10m',
  scheduleToCloseTimeout: '1h',
  ...BEATING,
});

/** Reads the account until it shows the update: there is no documented delay, so the first looks are close together. */
export const readingBack = profile({
  startToCloseTimeout: '30s',
  scheduleToCloseTimeout: '5m', // and never beyond the run's deadline: see update-harness.ts
  retry: { initialInterval: '1s', backoffCoefficient: 1.5, maximumInterval: '20s' },
});

/** Waits for another run's child to end; see `awaitHolder`. */
export const waiting = profile({
  startToCloseTimeout: '5m',
  scheduleToCloseTimeout: '15m',
  ...BEATING,
});
