import type { StepContext } from '../common/step.js';
import type { BuildTask } from '../contract/activities.js';
import type { BuiltImage } from '../contract/outcome.js';

/**
 * Makes the target image out of a source image. It reads from and writes to the content store only and never pushes.
 * What `registry` makes of a task is the same on any machine, so a worker that lacks the result simply makes it again;
 * what `buildkit` makes is only on the worker that made it.
 */
export interface BuildEngine {
  build(task: BuildTask, context: StepContext): Promise<BuiltImage>;
}

/** The engine that a task asks for. */
export class ChosenEngine implements BuildEngine {
  constructor(private readonly engines: Readonly<Record<BuildTask['build']['engine'], BuildEngine>>) {}

  build(task: BuildTask, context: StepContext): Promise<BuiltImage> {
    return this.engines[task.build.engine].build(task, context);
  }
}
