import type { Activities } from '../contract/activities.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const cleanEngine =
  ({ buildkit }: Dependencies): Activities['cleanEngine'] =>
  ({ runId }) =>
    runStep(async ({ signal }) => ({ removed: await buildkit.clean(runId, signal) }));
