import type { Reference } from './brand.js';

/** The task queue when `TEMPORAL_TASK_QUEUE` is not set. */
export const DEFAULT_TASK_QUEUE = 'image-factory';

/** The workflow id of a run when the caller names none. */
export const DEFAULT_WORKFLOW_ID = 'image-factory';

/** Workflow types; scripts and schedules depend on them. */
export const WORKFLOW = {
  imageFactory: 'imageFactory',
  mirrorImage: 'mirrorImage',
  planImages: 'planImages',
  updateHarness: 'updateHarness',
  restoreHarness: 'restoreHarness',
} as const;

/** The query that every workflow of a run answers with a {@link RunProgress} or an {@link ImageProgress}. */
export const PROGRESS_QUERY = 'progress';

/** One writer per target image, whatever the run: the id of its child workflow. */
export const mirrorImageId = (target: Reference): string => `mirror-image/${target}`;

/** One writer per account and infra, whatever the run. */
export const updateHarnessId = (account: string, infra: string): string =>
  `update-harness/${account}/${infra}`;

/** One restore at a time of what a run changed. */
export const restoreHarnessId = (runId: string): string => `restore-harness/${runId}`;

/** Keys that mark what we pushed. Labels carry all three; OCI top manifests carry the two digests as annotations. */
export const MARK = {
  source: 'io.harness.image-factory.source',
  sourceDigest: 'io.harness.image-factory.source-digest',
  templateDigest: 'io.harness.image-factory.template-digest',
} as const;
