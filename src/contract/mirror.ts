import type { ImageTask, ScanTask } from './activities.js';
import type { BuildPushConfig } from './run.js';

/** Input of the child workflow `mirrorImage`. */
export interface MirrorTask extends ImageTask {
  build: BuildPushConfig;
  /** Null when the run does not scan (`scan: false`). */
  scan: Pick<ScanTask, 'platforms' | 'policy' | 'policyDigest' | 'database'> | null;
  /** The registry holds the image as meant already; only a verdict is missing. */
  scanOnly: boolean;
}
