import type { Activities } from '../contract/activities.js';
import { checkAccount as check, pendingUpdates } from '../harness/account-check.js';
import { unfitUpdates } from '../mirror/whole.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const checkAccount =
  ({ harness, target, traffic }: Dependencies): Activities['checkAccount'] =>
  (task) =>
    runStep(async ({ signal }) => {
      const account = { client: harness(task.harness), signal };
      await check(account, task);
      const pending = await pendingUpdates(account, task);
      return traffic.count(task.runId, async () => ({ unfit: await unfitUpdates(pending, target, signal) }));
    });
