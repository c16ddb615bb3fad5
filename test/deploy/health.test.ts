import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { expect, it, onTestFinished } from 'vitest';
import { startTemporal } from '../../src/demo/services/temporal.js';
import { beat } from '../../src/worker/health.js';
import { temporaryDirectory } from '../support/directory.js';

it('a worker is healthy while it polls and Temporal answers', async () => {
  const file = join(await temporaryDirectory(), 'healthy');
  const temporal = await startTemporal({ uiPort: false });
  onTestFinished(() => temporal.stop());
  const connection = await Connection.connect({ address: temporal.address });
  onTestFinished(() => connection.close());
  const client = new Client({ connection });
  const polls = { getState: () => 'RUNNING' as const };
  expect(await beat(file, polls, client)).toBe(true);
  expect(await readFile(file, 'utf8')).toMatch(/^\d{4}-\d\d-\d\dT/);
  await rm(file);
  expect(await beat(file, { getState: () => 'DRAINING' }, client)).toBe(false);
  const elsewhere = new Client({ connection, namespace: 'absent' });
  expect(await beat(file, polls, elsewhere)).toBe(false);
  await temporal.stop();
  expect(await beat(file, polls, client)).toBe(false);
  await expect(readFile(file)).rejects.toThrow('ENOENT');
});
