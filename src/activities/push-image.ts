import type { Activities } from '../contract/activities.js';
import { pushImage as push } from '../mirror/push.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const pushImage =
  (dependencies: Dependencies): Activities['pushImage'] =>
  (task) =>
    runStep(
      (context) => {
        const target = dependencies.target(task.target);
        const step = () => push(task, { ...dependencies, target }, context);
        return dependencies.traffic.count(task.runId, step);
      },
      { handBack: dependencies.stopping },
    );
