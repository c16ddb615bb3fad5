import type { Activities } from '../contract/activities.js';
import { writeLedger } from '../mirror/ledger.js';
import { verifyImage as verify } from '../mirror/verify.js';
import { splitReference } from '../registry/reference.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const verifyImage =
  ({ allowLists, target: targetOf, fetcher, evidence, traffic }: Dependencies): Activities['verifyImage'] =>
  (task) =>
    runStep(async ({ signal }) => {
      allowLists.assertTarget(task.target);
      const target = targetOf(splitReference(task.target).host);
      await traffic.count(task.runId, () => verify(task, { target, fetcher }, signal));
      const { digest, platforms } = task.built;
      await writeLedger(
        evidence,
        {
          target: task.target,
          digest,
          sourceDigest: task.sourceDigest,
          templateDigest: task.build.templateDigest,
          runId: task.runId,
          verifiedAt: new Date().toISOString(),
          previous: null,
        },
        signal,
      );
      return { digest, platforms: platforms.length };
    });
