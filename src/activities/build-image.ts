import type { Activities } from '../contract/activities.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const buildImage =
  ({ engine, stopping, traffic, ownQueue }: Dependencies): Activities['buildImage'] =>
  (task) =>
    runStep(
      async (context) => {
        const built = await traffic.count(task.runId, () => engine.build(task, context));
        // Only this worker has it, so what comes next is best done here.
        const queue = built.platforms.some(({ how }) => how === 'built') ? await ownQueue() : undefined;
        return queue === undefined ? built : { ...built, queue };
      },
      { handBack: stopping },
    );
