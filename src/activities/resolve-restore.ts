import { resolveHarnessTarget } from '../config/resolve.js';
import type { Activities } from '../contract/activities.js';
import type { Dependencies } from './dependencies.js';
import { runStep } from './step.js';

export const resolveRestore =
  ({ environment }: Dependencies): Activities['resolveRestore'] =>
  ({ harnessUrl, harnessApiKeySecret }) =>
    runStep(() => resolveHarnessTarget({ harnessUrl, harnessApiKeySecret }, environment));
