import type { StepContext } from '../common/step.js';
import type { BuildTask } from '../contract/activities.js';
import type { BuiltImage } from '../contract/outcome.js';

/**
 * Makes the target image out of a source image. It reads from and writes to the content store only and never pushes.
 * The same task gives the same digest on any machine, so a worker that lacks the result simply builds again.
 */
export interface BuildEngine {
  readonly name: BuildTask['build']['engine'];
  build(task: BuildTask, context: StepContext): Promise<BuiltImage>;
}
