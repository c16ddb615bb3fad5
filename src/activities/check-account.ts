import type { Activities } from '../contract/activities.js';
import { checkAccount as check, pendingUpdates } from '../harness/account-check.js';
import { unfitUpdates } from '../mirror/whole.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const checkAccount =
  ({ harness, target, evidence, allowLists, traffic }: Dependencies): Activities['checkAccount'] =>
  (task) =>
    runStep(async ({ signal }) => {
      for (const { target } of task.updates) allowLists.assertTarget(target);
      const account = { client: harness(task.harness), signal };
      await check(account, task);
      const pending = await pendingUpdates(account, task);
      const look = () => unfitUpdates(pending, { target, evidence }, signal);
      return { unfit: await traffic.count(task.runId, look) };
    });
