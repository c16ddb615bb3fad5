import { ApplicationFailure, CancelledFailure, WorkflowFailedError } from '@temporalio/client';
import { FactoryError, messageOf } from '../common/errors.js';

/** Exit codes of the CLI; scripts depend on them (design, fixed names). 130 is what shells have for Ctrl-C. */
export const EXIT = { done: 0, imagesFailed: 1, badInput: 2, unreachable: 3, interrupted: 130 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends a command with a code, after it has said all that it had to say. */
export class CliExit extends Error {
  constructor(
    readonly code: ExitCode,
    message = '',
  ) {
    super(message);
  }
}

const BAD_INPUT = new Set(['InvalidInput', 'NotAllowed', 'SnapshotMissing']);
const IMAGES_FAILED = new Set(['ImagesFailed', 'HarnessNotUpdated']);

/** How a workflow ended, in the terms of a terminal. */
export interface WorkflowEnd {
  code: ExitCode;
  type: string;
  message: string;
  details: unknown;
}

/** Reads the end of a workflow out of what the SDK throws. */
export function workflowEnd(error: WorkflowFailedError): WorkflowEnd {
  const { cause } = error;
  if (cause instanceof ApplicationFailure) {
    const type = cause.type ?? 'Error';
    return { code: codeOf(type), type, message: cause.message, details: cause.details?.[0] };
  }
  if (cause instanceof CancelledFailure) {
    return {
      code: EXIT.imagesFailed,
      type: 'Cancelled',
      message: 'the run was cancelled',
      details: undefined,
    };
  }
  return {
    code: EXIT.unreachable,
    type: cause?.name ?? 'Error',
    message: messageOf(cause),
    details: undefined,
  };
}

/** The exit code for a failure type: what the user gave, what the images are, or what could not be reached. */
export function codeOf(type: string): ExitCode {
  if (BAD_INPUT.has(type)) return EXIT.badInput;
  return IMAGES_FAILED.has(type) ? EXIT.imagesFailed : EXIT.unreachable;
}

/** The code and the sentence for anything that a command threw. */
export function explain(error: unknown): { code: ExitCode; message: string } {
  if (error instanceof CliExit) return { code: error.code, message: error.message };
  if (error instanceof FactoryError) return { code: codeOf(error.type), message: error.message };
  if (error instanceof WorkflowFailedError) return workflowEnd(error);
  return { code: EXIT.unreachable, message: messageOf(error) };
}
