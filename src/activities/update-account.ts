import type { Activities } from '../contract/activities.js';
import { updateAccount as update } from '../harness/account.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const updateAccount =
  ({ harness, evidence, allowLists }: Dependencies): Activities['updateAccount'] =>
  (task) =>
    runStep(async ({ signal }) => {
      // Builds pull from there: an account is not pointed at what this worker would not push to.
      for (const { target } of task.updates) allowLists.assertTarget(target);
      return update({ client: harness(task.harness), evidence, signal }, task);
    });
