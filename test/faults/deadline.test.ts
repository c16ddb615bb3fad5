import { expect } from 'vitest';
import { WORKFLOW } from '../../src/contract/names.js';
import { startWorkerProcess } from '../integration/worker-process.js';
import { faultCase } from './matrix.js';
import { expectTruth } from './truth.js';
import { AIM, openWorld } from './world.js';

faultCase('harness', 'does not answer an update until the run has to end', async () => {
  const world = await openWorld({ images: ({ repository }) => repository === AIM });
  world.account.inject({ method: 'POST', url: /\/update-config\?/, times: 100, how: { kind: 'hang' } });
  await startWorkerProcess(world.env);
  const { client, taskQueue, uniqueId } = world.factory.temporal;
  // Its work stops 10 s before that; an update that has begun has its 30 s.
  const run = await client.workflow.start(WORKFLOW.imageFactory, {
    ...{ workflowId: uniqueId('late'), taskQueue, args: [world.input] },
    workflowExecutionTimeout: '90s',
  });
  const end = await expectTruth(world, run);
  expect(end.outcomes.map(({ kind }) => kind)).toEqual(['mirrored']);
  expect(end.report.accounts).toMatchObject([{ kind: 'failed', updated: [] }]);
  expect(world.factory.harness.state.overrides.K8).toEqual({});
  return `${end.type} by the deadline, with a report; the image is verified, the account as it was`;
});
