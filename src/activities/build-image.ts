import type { Activities } from '../contract/activities.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const buildImage =
  ({ engine, stopping }: Dependencies): Activities['buildImage'] =>
  (task) =>
    runStep((context) => engine.build(task, context), { handBack: stopping });
