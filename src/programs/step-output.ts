import type { StepEvent } from '../contract/template-step.js';

/** Where the outputs of a run's steps lie. */
export const stepOutputs = (runId: string): string => `runs/${runId}/steps/`;

/** Where a step's output lies; the last attempt's, when there were several. */
export function stepOutputKey(
  runId: string,
  { at, step, image }: Pick<StepEvent, 'at' | 'step'> & { image?: { name: string } },
): string {
  const of = image === undefined ? 'run' : image.name.replace(/[^A-Za-z0-9.-]+/g, '_').slice(-120);
  return `${stepOutputs(runId)}${at}-${step}-${of}.txt`;
}
