import { Client, Connection } from '@temporalio/client';
import { expect, onTestFinished, vi } from 'vitest';
import { WORKFLOW } from '../../src/contract/names.js';
import { freePort } from '../../src/demo/services/service.js';
import { ensureSearchAttributes } from '../../src/temporal/search-attributes.js';
import { type CliProcess, startProgram } from '../integration/cli-process.js';
import { startWorkerProcess } from '../integration/worker-process.js';
import { faultCase } from './matrix.js';
import { expectTruth } from './truth.js';
import { openWorld } from './world.js';

/** A Temporal server of the test's own, with its histories in a file, that can be killed and started again. */
async function startServer(port: number, dbFile: string): Promise<CliProcess & { client: Client }> {
  const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--headless'];
  const server = startProgram('temporal', [...args, '--log-level', 'error', '--db-filename', dbFile], {
    PATH: process.env.PATH ?? '',
    HOME: process.env.HOME ?? '',
  });
  const connection = await vi.waitFor(
    async () => {
      const made = await Connection.connect({ address: `127.0.0.1:${port}`, connectTimeout: 1000 });
      await made.workflowService.describeNamespace({ namespace: 'default' });
      return made;
    },
    { timeout: 60_000, interval: 200 },
  );
  onTestFinished(() => connection.close());
  return { ...server, client: new Client({ connection }) };
}

const MOMENTS: [name: string, method: string, url: RegExp][] = [
  ['an image is pushed', 'PUT', /\/ci\/harness\/ci-addon\/blobs\/uploads\//],
  ['an image is verified', 'HEAD', /\/ci\/harness\/ci-addon\/manifests\/1\.16\.92$/],
];

faultCase(
  'temporal',
  `the server is killed (SIGKILL) while ${MOMENTS.map(([name]) => name).join(', then while ')}, and starts again on its database`,
  async () => {
    const world = await openWorld();
    const port = await freePort();
    const dbFile = `${world.factory.directory}/temporal.db`;
    let server = await startServer(port, dbFile);
    await ensureSearchAttributes(server.client.connection, 'default');
    await startWorkerProcess({ ...world.env, TEMPORAL_ADDRESS: `127.0.0.1:${port}` });
    const workflowId = world.factory.temporal.uniqueId('server-killed');
    const moments = MOMENTS.map(([, method, url]) =>
      world.target.meet({ method, url }, async () => {
        process.kill(-(server.child.pid ?? 0), 'SIGKILL');
        await server.ended;
        server = await startServer(port, dbFile);
      }),
    );
    await server.client.workflow.start(WORKFLOW.imageFactory, {
      workflowId,
      taskQueue: world.factory.temporal.taskQueue,
      args: [world.input],
    });
    await Promise.all(moments);
    const end = await expectTruth(world, server.client.workflow.getHandle(workflowId));
    expect(end.outcomes.map(({ kind }) => kind)).toEqual(['mirrored', 'mirrored']);
    expect(end.report.accounts).toMatchObject([{ kind: 'updated' }]);
    return 'the worker waits for it and goes on; both images verified, account updated';
  },
);
