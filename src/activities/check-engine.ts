import type { Activities } from '../contract/activities.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const checkEngine =
  ({ buildkit }: Dependencies): Activities['checkEngine'] =>
  () =>
    runStep(({ signal }) => buildkit.state(signal));
