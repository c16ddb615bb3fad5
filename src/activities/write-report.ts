import type { Activities } from '../contract/activities.js';
import { writeReport as write } from '../report/write.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const writeReport =
  ({ evidence, traffic }: Dependencies): Activities['writeReport'] =>
  (summary) =>
    runStep(async ({ signal }) => {
      const report = await write(evidence, summary, signal);
      traffic.forget(summary.runId);
      return report;
    });
