import {
  ApplicationFailure,
  CancelledFailure,
  TimeoutFailure,
  WorkflowFailedError,
} from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { CliExit, codeOf, EXIT, explain, workflowEnd } from '../../src/cli/exit.js';
import { FactoryError } from '../../src/common/errors.js';
import { FAILURES, type FailureType } from '../../src/contract/failure.js';

const failed = (cause: Error) =>
  new WorkflowFailedError('Workflow execution failed', cause, 'NON_RETRYABLE_FAILURE');

describe('exit codes', () => {
  it('are those that scripts depend on', () => {
    expect(EXIT).toEqual({ done: 0, imagesFailed: 1, badInput: 2, unreachable: 3, interrupted: 130 });
  });

  it('tell what the user gave and what the images are from what could not be reached', () => {
    // The keys of the table of failures.
    const types = Object.keys(FAILURES) as FailureType[];
    const having = (code: number) => types.filter((type) => codeOf(type) === code);
    expect(having(2)).toEqual(['InvalidInput', 'NotAllowed', 'SnapshotMissing']);
    expect(having(1)).toEqual(['ImagesFailed', 'HarnessNotUpdated']);
    expect(having(3)).toHaveLength(types.length - 5);
  });

  it('follow the failure that a workflow ended with, and its first detail is the result', () => {
    const cause = ApplicationFailure.nonRetryable('2 blocked', 'ImagesFailed', { kind: 'run' });
    expect(workflowEnd(failed(cause))).toEqual({
      code: 1,
      type: 'ImagesFailed',
      message: '2 blocked',
      details: { kind: 'run' },
    });
    expect(explain(failed(ApplicationFailure.nonRetryable('bad', 'InvalidInput')))).toMatchObject({
      code: 2,
    });
  });

  it('call a cancelled run no success, and a timeout something out of reach', () => {
    expect(workflowEnd(failed(new CancelledFailure('x')))).toMatchObject({ code: 1, type: 'Cancelled' });
    expect(workflowEnd(failed(new TimeoutFailure('late', undefined, 'START_TO_CLOSE'))).code).toBe(3);
  });

  it('have a sentence for everything that is thrown', () => {
    expect(explain(new CliExit(2, 'so'))).toEqual({ code: 2, message: 'so' });
    expect(explain(new FactoryError('NotAllowed', 'no'))).toEqual({ code: 2, message: 'no' });
    expect(explain('odd')).toEqual({ code: 3, message: 'odd' });
  });
});
