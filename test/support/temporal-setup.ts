import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import type { TestProject } from 'vitest/node';
import { startTemporal } from '../../src/demo/services/temporal.js';
import { ensureSearchAttributes } from '../../src/temporal/search-attributes.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** `host:port` of the dev server that all tests share. */
    temporalAddress: string;
    /** Path of the workflow bundle. */
    workflowBundle: string;
  }
}

/** One Temporal server and one bundle for all integration tests; each test has its own task queue and workflow ids. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'image-factory-tests-'));
  const [bundle, temporal] = await Promise.all([
    bundleWorkflowCode({
      workflowsPath: fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url)),
      logger: new DefaultLogger('WARN'),
    }),
    startTemporal({ uiPort: false }),
  ]);
  const connection = await Connection.connect({ address: temporal.address });
  await ensureSearchAttributes(connection, temporal.namespace);
  await connection.close();
  const bundlePath = join(directory, 'workflows.js');
  await writeFile(bundlePath, bundle.code);
  project.provide('temporalAddress', temporal.address);
  project.provide('workflowBundle', bundlePath);
  return async () => {
    await temporal.stop();
    await rm(directory, { recursive: true, force: true });
  };
}
