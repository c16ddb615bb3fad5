import type { Activities } from '../contract/activities.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const awaitHolder =
  (dependencies: Dependencies): Activities['awaitHolder'] =>
  (workflowId, patient = false) =>
    runStep(({ signal }) => dependencies.awaitHolder(workflowId, { patient, signal }));
