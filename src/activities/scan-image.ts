import type { Activities } from '../contract/activities.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const scanImage =
  ({ scanner, stopping }: Dependencies): Activities['scanImage'] =>
  (task) =>
    runStep((context) => scanner.scan(task, context), { handBack: stopping });
