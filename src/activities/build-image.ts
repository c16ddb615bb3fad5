import type { Activities } from '../contract/activities.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const buildImage =
  ({ engine, stopping, traffic }: Dependencies): Activities['buildImage'] =>
  (task) =>
    runStep((context) => traffic.count(task.runId, () => engine.build(task, context)), {
      handBack: stopping,
    });
