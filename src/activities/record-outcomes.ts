import type { Activities } from '../contract/activities.js';
import { recordOutcomes as record } from '../report/write.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const recordOutcomes =
  ({ evidence }: Dependencies): Activities['recordOutcomes'] =>
  ({ runId, page, records }) =>
    runStep(({ signal }) => record(evidence, runId, page, records, signal));
