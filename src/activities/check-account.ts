import type { Activities } from '../contract/activities.js';
import { checkAccount as check } from '../harness/account-check.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const checkAccount =
  ({ harness }: Dependencies): Activities['checkAccount'] =>
  (task) =>
    runStep(({ signal }) => check({ client: harness(task.harness), signal }, task));
