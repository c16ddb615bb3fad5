import { type ActivityOptions, ApplicationFailure, isCancellation, workflowInfo } from '@temporalio/workflow';
import type { BuildTask, PushTask } from '../contract/activities.js';
import type { MirrorTask } from '../contract/mirror.js';
import {
  type BuiltImage,
  decidingVerdict,
  type MirrorOutcome,
  type PushSummary,
} from '../contract/outcome.js';
import type { StepEvent } from '../contract/template-step.js';
import type { Verdict } from '../contract/verdict.js';
import { building, pushing, scanning, verifying } from './activities.js';
import { showOutcome } from './ends.js';
import { failedAs, neverStarted } from './failure.js';
import { TemplateSteps } from './template-steps.js';
import { Track } from './track.js';

/**
 * What an engine built lies on the worker that built it. When that is gone, another one builds again; a cluster whose
 * workers come and go faster than that needs a person.
 */
const MAX_BUILDS = 3;

/** How long the worker that built may take to begin what follows: it has room for many, so it is dead or cut off then. */
const BEGINS_WITHIN = '20s';

/**
 * One image: scan → gate → build → push → verify. How it ended is a value; it throws only when a step failed for good,
 * so that Temporal shows the child as Failed.
 */
export async function mirrorImage(task: MirrorTask): Promise<MirrorOutcome> {
  try {
    const outcome = await new ImageMirror(task).run();
    showOutcome(outcome.kind);
    return outcome;
  } catch (error) {
    showOutcome(isCancellation(error) ? 'cancelled' : 'failed');
    throw error;
  }
}

/**
 * Runs a step on the worker that has what was built, as long as that one lives; else on any, which answers
 * `BuiltContentLost` where it does not have it.
 */
async function whereBuilt<T>(
  { queue }: BuiltImage,
  step: (where: Pick<ActivityOptions, 'taskQueue' | 'scheduleToStartTimeout'>) => Promise<T>,
): Promise<T> {
  if (queue === undefined) return step({});
  try {
    return await step({ taskQueue: queue, scheduleToStartTimeout: BEGINS_WITHIN });
  } catch (error) {
    if (!neverStarted(error)) throw error;
    return step({});
  }
}

async function unlessCancelled(steps: Promise<void>): Promise<void> {
  try {
    await steps;
  } catch (error) {
    if (isCancellation(error)) throw error;
  }
}

class ImageMirror {
  readonly #track: Track;
  readonly #steps: TemplateSteps;
  readonly #build: BuildTask;

  constructor(private readonly task: MirrorTask) {
    const { runId, image, source, sourceDigest, target, build, runStartedAt } = task;
    const identity = { runId, image, source, sourceDigest, target };
    this.#build = { ...identity, build, ...(runStartedAt === undefined ? {} : { runStartedAt }) };
    this.#track = new Track(image);
    const workflowId = workflowInfo().parent?.workflowId ?? '';
    this.#steps = new TemplateSteps(task.steps ?? [], {
      id: runId,
      workflowId,
      startedAt: runStartedAt ?? '',
    });
  }

  async run(): Promise<MirrorOutcome> {
    const verdict = await this.#scanSource();
    if (verdict?.decision === 'block') return { kind: 'blocked', verdict, ...this.#record() };
    if (this.task.scanOnly) {
      // A scan-only task always scans: the plan asked for it because a verdict is missing.
      if (!verdict) throw ApplicationFailure.nonRetryable('asked for a scan without a scan', 'InvalidInput');
      return { kind: 'rescanned', verdict, ...this.#record() };
    }
    for (let builds = 1; ; builds++) {
      try {
        return await this.#make(verdict);
      } catch (error) {
        if (!failedAs('BuiltContentLost', error) || builds === MAX_BUILDS) throw error;
      }
    }
  }

  async #scanSource(): Promise<Verdict | null> {
    const { scan, image } = this.task;
    if (!scan) return null;
    await this.#steps.at('before-scan', this.#about());
    const verdict = await this.#track.step('scan', () =>
      scanning.scanImage.executeWithOptions({ summary: `scan ${image}` }, [{ ...this.#identity(), ...scan }]),
    );
    const gate = this.#steps.at('after-scan', this.#about(null, verdict));
    // That the policy blocks it says more than that a step failed, which is on record.
    await (verdict.decision === 'block' ? unlessCancelled(gate) : gate);
    return verdict;
  }

  /** Builds, looks at what was built, pushes and verifies. @param verdict on the source */
  async #make(verdict: Verdict | null): Promise<MirrorOutcome> {
    const steps = this.#steps;
    const { image, build } = this.task;
    await steps.at('before-build', this.#about(null, verdict));
    const summary = build.engine === 'registry' ? `label ${image}` : `build ${image}`;
    const built = await this.#track.step('build', () =>
      building.buildImage.executeWithOptions({ summary }, [this.#build]),
    );
    await steps.at('after-build', this.#about(built, verdict));
    const builtVerdict = await this.#scanBuilt(built);
    const both = builtVerdict === null ? {} : { builtVerdict };
    if (verdict !== null && builtVerdict?.decision === 'block')
      return { kind: 'blocked', verdict, built, ...both, ...this.#record() };
    const about = this.#about(built, decidingVerdict({ verdict, built, ...both }));
    await steps.at('before-push', about);
    const push = await this.#pushAndVerify({ ...this.#build, built });
    await steps.at('after-push', about);
    return { kind: 'mirrored', built, verdict, ...both, push, ...this.#record() };
  }

  /** What was only labelled has its source's layers, which were scanned. */
  async #scanBuilt(built: BuiltImage): Promise<Verdict | null> {
    const { scan, image } = this.task;
    if (!scan || !built.platforms.some(({ how }) => how === 'built')) return null;
    const task = { ...this.#identity(), ...scan, built };
    const options = { summary: `scan ${image} as built` };
    return this.#track.step('scan', () =>
      whereBuilt(built, (where) => scanning.scanImage.executeWithOptions({ ...options, ...where }, [task])),
    );
  }

  /**
   * What verify finds wrong (a blob the registry lost, a tag that someone moved) a second push mends, since it looks at
   * what is there and sends only what is not. Once: a registry that keeps losing content needs a person.
   */
  async #pushAndVerify(image: Omit<PushTask, 'repair'>): Promise<PushSummary> {
    for (let repair = false; ; repair = true) {
      const task: PushTask = { ...image, repair };
      const options = { summary: `push ${task.target}` };
      const push = await this.#track.step('push', () =>
        whereBuilt(task.built, (where) =>
          pushing.pushImage.executeWithOptions({ ...options, ...where }, [task]),
        ),
      );
      try {
        await this.#track.step('verify', () =>
          verifying.verifyImage.executeWithOptions({ summary: `verify ${task.target}` }, [task]),
        );
        return push;
      } catch (error) {
        if (repair || !failedAs('VerificationFailed', error)) throw error;
      }
    }
  }

  #identity() {
    const { runId, image, source, sourceDigest, target } = this.task;
    return { runId, image, source, sourceDigest, target };
  }

  /** What a template's step is told of the image. */
  #about(
    built: BuiltImage | null = null,
    verdict: Verdict | null = null,
  ): Pick<StepEvent, 'image' | 'verdict'> {
    const { image: name, source, sourceDigest, target } = this.task;
    return {
      image: { name, source, sourceDigest, target, ...(built === null ? {} : { digest: built.digest }) },
      ...(verdict === null ? {} : { verdict: { decision: verdict.decision, rule: verdict.rule } }),
    };
  }

  #record() {
    return { steps: this.#track.steps, ...this.#steps.record() };
  }
}
