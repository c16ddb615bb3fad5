import { Context } from '@temporalio/activity';
import type { Activities } from '../contract/activities.js';
import { readDiscovery, writePlan } from '../mirror/pages.js';
import { planImages } from '../mirror/plan.js';
import { splitReference } from '../registry/reference.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

/** Attempts for faults that may pass; after them an image that can't be read is unresolved and the others go on. */
const PATIENCE = 5;

export const planPage =
  ({ source, target, evidence, allowLists, traffic }: Dependencies): Activities['planPage'] =>
  ({ runId, config, page }) =>
    runStep(async ({ signal }) => {
      const images = await readDiscovery(evidence, page, signal);
      const first = images.find((image) => image.target !== null)?.target;
      if (first) allowLists.assertTarget(first);
      const host = config.registry.split('/', 1)[0] ?? '';
      const ports = { source, target: target(first ? splitReference(first).host : host), evidence };
      const patient = Context.current().info.attempt < PATIENCE;
      const plan = () => planImages(images, config, ports, patient, signal);
      const items = await traffic.count(runId, plan);
      return { key: await writePlan(evidence, page, items, signal), items };
    });
