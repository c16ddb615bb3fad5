import type { Activities } from '../contract/activities.js';
import { readBackAccount as readBack } from '../harness/account.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const readBackAccount =
  ({ harness }: Dependencies): Activities['readBackAccount'] =>
  (task) =>
    runStep(({ signal }) => readBack({ client: harness(task.harness), signal }, task));
