import {
  ActivityFailure,
  ApplicationFailure,
  defineQuery,
  isCancellation,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { BuildTask, PushTask } from '../contract/activities.js';
import type { MirrorTask } from '../contract/mirror.js';
import { PROGRESS_QUERY } from '../contract/names.js';
import type { MirrorOutcome, PushSummary, Step, StepRecord } from '../contract/outcome.js';
import type { ImageProgress } from '../contract/progress.js';
import type { Verdict } from '../contract/verdict.js';
import { building, pushing, scanning, verifying } from './activities.js';
import { showOutcome } from './ends.js';

/**
 * One image: scan → gate → build → push → verify. How it ended is a value; it throws only when a step failed for good,
 * so that Temporal shows the child as Failed.
 */
export async function mirrorImage(task: MirrorTask): Promise<MirrorOutcome> {
  try {
    const outcome = await mirror(task);
    showOutcome(outcome.kind);
    return outcome;
  } catch (error) {
    showOutcome(isCancellation(error) ? 'cancelled' : 'failed');
    throw error;
  }
}

async function mirror(task: MirrorTask): Promise<MirrorOutcome> {
  const track = new Track(task.image);
  const verdict = await scan(task, track);
  if (verdict?.decision === 'block') return { kind: 'blocked', verdict, steps: track.steps };
  if (task.scanOnly) {
    // A scan-only task always scans: the plan asked for it because a verdict is missing.
    if (!verdict) throw ApplicationFailure.nonRetryable('asked for a scan without a scan', 'InvalidInput');
    return { kind: 'rescanned', verdict, steps: track.steps };
  }
  const buildTask: BuildTask = { ...identity(task), build: task.build };
  const built = await track.step('build', () =>
    building.buildImage.executeWithOptions({ summary: `label ${task.image}` }, [buildTask]),
  );
  const push = await pushAndVerify({ ...buildTask, built }, track);
  return { kind: 'mirrored', built, verdict, push, steps: track.steps };
}

async function scan(task: MirrorTask, track: Track): Promise<Verdict | null> {
  const { scan } = task;
  if (!scan) return null;
  return track.step('scan', () =>
    scanning.scanImage.executeWithOptions({ summary: `scan ${task.image}` }, [
      { ...identity(task), ...scan },
    ]),
  );
}

/**
 * What verify finds wrong (a blob the registry lost, a tag that someone moved) a second push mends, since it looks at
 * what is there and sends only what is not. Once: a registry that keeps losing content needs a person.
 */
async function pushAndVerify(image: Omit<PushTask, 'repair'>, track: Track): Promise<PushSummary> {
  for (let repair = false; ; repair = true) {
    const task: PushTask = { ...image, repair };
    const push = await track.step('push', () =>
      pushing.pushImage.executeWithOptions({ summary: `push ${task.target}` }, [task]),
    );
    try {
      await track.step('verify', () =>
        verifying.verifyImage.executeWithOptions({ summary: `verify ${task.target}` }, [task]),
      );
      return push;
    } catch (error) {
      if (repair || !isVerificationFailure(error)) throw error;
    }
  }
}

const isVerificationFailure = (error: unknown): boolean =>
  error instanceof ActivityFailure &&
  error.cause instanceof ApplicationFailure &&
  error.cause.type === 'VerificationFailed';

/** The part of the task that every activity gets. */
const identity = ({ runId, image, source, sourceDigest, target }: MirrorTask) => ({
  runId,
  image,
  source,
  sourceDigest,
  target,
});

const progressQuery = defineQuery<ImageProgress>(PROGRESS_QUERY);

/** Which step the image is in and how long each took: for the query, the Web UI and the report. */
class Track {
  readonly steps: StepRecord[] = [];
  #current: Step | null = null;

  constructor(image: string) {
    setHandler(progressQuery, () => ({ version: 1, image, step: this.#current, steps: this.steps }));
    setCurrentDetails(`**${image}** for run \`${workflowInfo().parent?.workflowId ?? 'none'}\``);
  }

  async step<T>(step: Step, work: () => Promise<T>): Promise<T> {
    const started = Date.now();
    this.#current = step;
    setCurrentDetails([...this.steps.map((s) => `- ${s.step}: ${s.ms} ms`), `- **${step}** …`].join('\n'));
    try {
      return await work();
    } finally {
      this.steps.push({ step, at: new Date(started).toISOString(), ms: Date.now() - started });
      this.#current = null;
      setCurrentDetails(this.steps.map((s) => `- ${s.step}: ${s.ms} ms`).join('\n'));
    }
  }
}
