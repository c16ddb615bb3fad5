import type { Activities } from '../contract/activities.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const pinDatabase =
  ({ scanner, stopping }: Dependencies): Activities['pinDatabase'] =>
  ({ maxAgeHours }) =>
    runStep((context) => scanner.pinDatabase(maxAgeHours, context), { handBack: stopping });
