import type { Activities } from '../contract/activities.js';
import { updateAccount as update } from '../harness/account.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const updateAccount =
  ({ harness, evidence }: Dependencies): Activities['updateAccount'] =>
  (task) =>
    runStep(({ signal }) => update({ client: harness(task.harness), evidence, signal }, task));
