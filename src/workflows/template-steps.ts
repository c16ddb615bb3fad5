import { isCancellation } from '@temporalio/workflow';
import type { TemplateStep } from '../contract/run.js';
import type { StepEnd, StepEvent } from '../contract/template-step.js';
import { stepping } from './activities.js';
import { type Failure, rootFailure } from './failure.js';

/** What a step's program is given above its own time: files to fetch, output to store. */
const AROUND_SECONDS = 60;
/** Waiting for a worker, as other steps do, and between attempts. */
const WAITING_SECONDS = 3600;

/** What the steps of one run, or of one of its images, are told, and how they ended. */
export class TemplateSteps {
  readonly ends: StepEnd[] = [];
  #running: { step: TemplateStep; began: number } | null = null;

  constructor(
    private readonly steps: readonly TemplateStep[],
    private readonly run: StepEvent['run'],
  ) {}

  /**
   * Runs the steps of one place, one after the other.
   *
   * @param about what their event says besides run and place
   * @throws ActivityFailure of a step that may not fail; one that may is among {@link ends}
   */
  async at(
    at: StepEvent['at'],
    about: Omit<StepEvent, 'version' | 'at' | 'step' | 'run'> = {},
  ): Promise<void> {
    const { run } = this;
    for (const step of this.steps.filter((one) => one.at === at)) {
      const began = Date.now();
      this.#running = { step, began };
      try {
        const limit = step.timeoutSeconds + AROUND_SECONDS;
        const end = await stepping.runTemplateStep.executeWithOptions(
          {
            summary: `${step.name} ${at}`,
            startToCloseTimeout: `${limit}s`,
            scheduleToCloseTimeout: `${step.attempts * limit + WAITING_SECONDS}s`,
          },
          [
            {
              runId: run.id,
              runStartedAt: run.startedAt,
              step,
              event: { version: 1, at, step: step.name, run, ...about },
            },
          ],
        );
        this.ends.push(end);
      } catch (error) {
        if (isCancellation(error)) throw error;
        const { message } = rootFailure(error);
        this.ends.push({ name: step.name, at, ok: false, message, ms: Date.now() - began, output: null });
        if (step.onFailure === 'fail') throw error;
      }
    }
  }

  /** Gives the step that was cut off its end. @returns its failure, if it may not fail */
  cut(message: string): Failure | null {
    if (this.#running === null) return null;
    const { step, began } = this.#running;
    const { name, at } = step;
    this.ends.push({ name, at, ok: false, message, ms: Date.now() - began, output: null });
    return step.onFailure === 'fail' ? { type: 'StepFailed', message: `step ${name} ${message}` } : null;
  }

  /** For an outcome; nothing where there were no steps. */
  record(): { templateSteps?: StepEnd[] } {
    return this.ends.length === 0 ? {} : { templateSteps: this.ends };
  }
}
