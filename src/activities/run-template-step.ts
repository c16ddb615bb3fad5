import type { Activities } from '../contract/activities.js';
import { runTemplateStep as run } from '../programs/template-step.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const runTemplateStep =
  ({ programs, evidence, stopping }: Dependencies): Activities['runTemplateStep'] =>
  (task) =>
    runStep((context) => run(task, { programs, evidence }, context), { handBack: stopping });
