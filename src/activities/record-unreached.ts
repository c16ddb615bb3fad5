import type { Activities } from '../contract/activities.js';
import { readDiscovery } from '../mirror/pages.js';
import { recordOutcomes } from '../report/write.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const recordUnreached =
  ({ evidence }: Dependencies): Activities['recordUnreached'] =>
  ({ runId, discoveryPage, page, outcome }) =>
    runStep(async ({ signal }) => {
      const images = await readDiscovery(evidence, discoveryPage, signal);
      const records = images.map(({ name, fields, target }) => ({
        item: {
          state: 'unresolved' as const,
          image: name,
          fields,
          target,
          reason: 'the run did not come to it',
        },
        outcome,
      }));
      const { key } = await recordOutcomes(evidence, runId, page, records, signal);
      return { key, images: images.length };
    });
