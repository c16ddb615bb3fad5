import type { Activities } from '../contract/activities.js';
import { snapshotAccount as snapshot } from '../harness/account.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const snapshotAccount =
  ({ harness, evidence }: Dependencies): Activities['snapshotAccount'] =>
  (task) =>
    runStep(({ signal }) => snapshot({ client: harness(task.harness), evidence, signal }, task));
