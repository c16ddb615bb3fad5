import type { Activities } from '../contract/activities.js';
import { verifyImage as verify } from '../mirror/verify.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const verifyImage =
  (dependencies: Dependencies): Activities['verifyImage'] =>
  (task) =>
    runStep(async (context) => {
      const target = dependencies.target(task.target);
      await dependencies.traffic.count(task.runId, () => verify(task, { ...dependencies, target }, context));
      const { digest, platforms } = task.built;
      return { digest, platforms: platforms.length };
    });
