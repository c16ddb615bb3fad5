import { resolveRunConfig } from '../config/resolve.js';
import type { Activities } from '../contract/activities.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const resolveRun =
  ({ environment }: Dependencies): Activities['resolveRun'] =>
  (input) =>
    runStep(() => resolveRunConfig(input, environment, { now: new Date() }));
