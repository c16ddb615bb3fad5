import type { ImageTask, ScanTask } from './activities.js';
import type { BuildPushConfig, TemplateStep } from './run.js';

/** Input of the child workflow `mirrorImage`. */
export interface MirrorTask extends ImageTask {
  build: BuildPushConfig;
  /** Null when the run does not scan (`scan: false`). */
  scan: Pick<ScanTask, 'platforms' | 'policy' | 'policyDigest' | 'database' | 'scanners'> | null;
  /** The registry holds the image as meant already; only a verdict is missing. */
  scanOnly: boolean;
  /** ISO 8601 UTC. Absent: a run of an older version. */
  runStartedAt?: string;
  /** Of both templates, those that run once an image. Absent: none. */
  steps?: TemplateStep[];
}
