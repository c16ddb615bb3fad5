import { ApplicationFailure } from '@temporalio/activity';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { runTemplateStep } from '../../src/activities/run-template-step.js';
import type { TemplateStepTask } from '../../src/contract/activities.js';
import type { TemplateStep } from '../../src/contract/run.js';
import type { StepEnd, StepEvent } from '../../src/contract/template-step.js';
import { stepOutputKey } from '../../src/programs/step-output.js';
import { digestOf } from '../../src/registry/digest.js';
import { ref } from '../support/images.js';
import { openPrograms, program } from './world.js';

export const run = { id: 'r1', workflowId: 'image-factory', startedAt: '2026-03-01T02:00:00.000Z' };
export const image = {
  name: 'harness/ci-addon:1.16.92',
  source: ref('docker.io/harness/ci-addon:1.16.92'),
  sourceDigest: digestOf('source'),
  target: ref('registry.example.com/ci/harness/ci-addon:1.16.92'),
  digest: digestOf('built'),
};

/** Where the output of a test's step lies; the first step and attempt of its workflow, if nothing else is said. */
export const outputOf = (
  at: StepEvent['at'],
  name: string,
  of?: { name: string },
  execution = '1',
  attempt = 1,
) =>
  stepOutputKey('r1', { at, step: name, ...(of === undefined ? {} : { image: of }) }, { execution, attempt });

export const step = (more: Partial<TemplateStep>): TemplateStep => ({
  ...program({}),
  name: 'tell',
  at: 'after-push',
  onFailure: 'fail',
  attempts: 3,
  ...more,
});

/** A worker's activity, as Temporal calls it. */
export async function openStep(env: Record<string, string> = {}) {
  const world = await openPrograms(env);
  const stopping = new AbortController();
  const activity = runTemplateStep({ ...world, stopping: stopping.signal });
  const call = (
    one: TemplateStep,
    about: Partial<StepEvent> = { image },
    { failures = 0, ...info }: { failures?: number; activityId?: string; attempt?: number } = {},
  ): Promise<StepEnd> => {
    const task: TemplateStepTask = {
      runId: run.id,
      runStartedAt: run.startedAt,
      step: one,
      event: { version: 1, at: one.at, step: one.name, run, ...about },
    };
    const attempt = new MockActivityEnvironment(
      { activityId: '1', ...info, heartbeatDetails: { failures } },
      { logger: new DefaultLogger('ERROR') },
    );
    return attempt.run(activity, task);
  };
  const failure = async (...args: Parameters<typeof call>): Promise<ApplicationFailure> => {
    const error: unknown = await call(...args).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error instanceof ApplicationFailure) return error;
    throw new Error('the step did not fail', { cause: error });
  };
  return { ...world, stopping, call, failure };
}
