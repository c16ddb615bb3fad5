import type { StepEvent } from '../contract/template-step.js';
import { digestOf, hexOf } from '../registry/digest.js';

/** Which attempt of which execution of a step: no two that run in the same place for the same image share it. */
export interface StepAttempt {
  /** Within the workflow, in its order: the two templates may have a step of the same name, and a rebuild runs it again. */
  execution: string;
  attempt: number;
}

/** Where the outputs of a run's steps lie. */
export const stepOutputs = (runId: string): string => `runs/${runId}/steps/`;

/** Where the outputs lie of a step in a place, for one image or for the run: of all its executions and attempts. */
export function stepOutputFolder(
  runId: string,
  { at, step, image }: Pick<StepEvent, 'at' | 'step'> & { image?: { name: string } },
): string {
  // The hash keeps names apart that are the same when they are made to fit.
  const of =
    image === undefined
      ? 'run'
      : `${hexOf(digestOf(image.name)).slice(0, 8)}-${image.name.replace(/[^A-Za-z0-9.-]+/g, '_').slice(-120)}`;
  return `${stepOutputs(runId)}${at}/${step}/${of}/`;
}

/** Where an attempt's output lies. Sorted, keys of a folder are in the order in which they were run. */
export function stepOutputKey(
  runId: string,
  event: Parameters<typeof stepOutputFolder>[1],
  { execution, attempt }: StepAttempt,
): string {
  const id = execution.replace(/[^A-Za-z0-9]+/g, '_').padStart(5, '0');
  return `${stepOutputFolder(runId, event)}${id}-${String(attempt).padStart(4, '0')}.txt`;
}

/** The execution that a key of {@link stepOutputKey} is of, as a key's beginning. */
export const executionOf = (key: string): string => key.slice(0, key.lastIndexOf('-'));
