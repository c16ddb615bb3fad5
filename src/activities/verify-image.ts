import type { Activities } from '../contract/activities.js';
import { verifyImage as verify } from '../mirror/verify.js';
import { splitReference } from '../registry/reference.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const verifyImage =
  (dependencies: Dependencies): Activities['verifyImage'] =>
  (task) =>
    runStep(async (context) => {
      dependencies.allowLists.assertTarget(task.target);
      const target = dependencies.target(splitReference(task.target).host);
      await dependencies.traffic.count(task.runId, () => verify(task, { ...dependencies, target }, context));
      const { digest, platforms } = task.built;
      return { digest, platforms: platforms.length };
    });
