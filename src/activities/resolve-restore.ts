import { resolveRestore as resolve } from '../config/restore-input.js';
import type { Activities } from '../contract/activities.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const resolveRestore =
  ({ environment }: Dependencies): Activities['resolveRestore'] =>
  (input) =>
    runStep(() => resolve(input, environment));
