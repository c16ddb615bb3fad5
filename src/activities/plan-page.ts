import type { Activities } from '../contract/activities.js';
import { readDiscovery, writePlan } from '../mirror/pages.js';
import { planImages } from '../mirror/plan.js';
import { splitReference } from '../registry/reference.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

/** Failures that may have been faults that pass; after them an image that can't be read is unresolved and the others go on. */
const PATIENCE = 4;

export const planPage =
  ({ source, target, evidence, allowLists, traffic }: Dependencies): Activities['planPage'] =>
  ({ runId, config, page }) =>
    runStep(async ({ signal, failures }) => {
      const images = await readDiscovery(evidence, page, signal);
      const first = images.find((image) => image.target !== null)?.target;
      if (first) allowLists.assertTarget(first);
      const host = config.registry.split('/', 1)[0] ?? '';
      const ports = { source, target: target(first ? splitReference(first).host : host), evidence };
      const patient = failures < PATIENCE;
      const plan = () => planImages(images, config, ports, patient, signal);
      const items = await traffic.count(runId, plan);
      return { key: await writePlan(evidence, page, items, signal), items };
    });
