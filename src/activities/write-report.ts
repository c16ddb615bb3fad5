import type { Activities } from '../contract/activities.js';
import { writeReport as write } from '../report/write.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const writeReport =
  ({ evidence }: Dependencies): Activities['writeReport'] =>
  (summary) =>
    runStep(() => write(evidence, summary));
