import { resolveRunConfig } from '../config/resolve.js';
import type { Activities } from '../contract/activities.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const resolveRun =
  ({ environment, evidence }: Dependencies): Activities['resolveRun'] =>
  (input) =>
    runStep(({ signal }) => resolveRunConfig(input, environment, { now: new Date(), evidence, signal }));
