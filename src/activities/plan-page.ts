import type { Activities } from '../contract/activities.js';
import { readDiscovery, writePlan } from '../mirror/pages.js';
import { planImages } from '../mirror/plan.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

/** Failures that may have been faults that pass; after them an image that can't be read is unresolved and the others go on. */
const PATIENCE = 4;

export const planPage =
  ({ source, target, evidence, traffic }: Dependencies): Activities['planPage'] =>
  ({ runId, config, page }) =>
    runStep(async ({ signal, failures }) => {
      const images = await readDiscovery(evidence, page, signal);
      const first = images.find((image) => image.target !== null)?.target;
      // A page without a target has nothing to ask there.
      const ports = { source, target: first ? target(first) : source, evidence };
      const patient = failures < PATIENCE;
      const plan = () => planImages(images, config, ports, patient, signal);
      const items = await traffic.count(runId, plan);
      return { key: await writePlan(evidence, page, items, signal), items };
    });
