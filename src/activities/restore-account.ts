import type { Activities } from '../contract/activities.js';
import { restoreAccount as restore } from '../harness/account-restore.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const restoreAccount =
  ({ harness, evidence }: Dependencies): Activities['restoreAccount'] =>
  (task) =>
    runStep(({ signal }) => restore({ client: harness(task.harness), evidence, signal }, task));
