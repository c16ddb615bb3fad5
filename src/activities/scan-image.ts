import type { Activities } from '../contract/activities.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const scanImage =
  ({ scanner, stopping, traffic }: Dependencies): Activities['scanImage'] =>
  (task) =>
    runStep((context) => traffic.count(task.runId, () => scanner.scan(task, context)), {
      handBack: stopping,
    });
