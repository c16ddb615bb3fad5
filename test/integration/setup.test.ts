import { SearchAttributeType } from '@temporalio/common';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SEARCH_ATTRIBUTES } from '../../src/contract/search-attributes.js';
import { startTemporal } from '../../src/demo/services/temporal.js';
import { ensureSearchAttributes } from '../../src/temporal/search-attributes.js';
import { temporaryDirectory } from '../support/directory.js';
import { cli } from './cli-process.js';
import { connectTo } from './scheduler.js';

const NAMES = SEARCH_ATTRIBUTES.map(({ name }) => name);
const PERMISSION_DENIED = 7;
const KEYWORD = 2;
const INT = 3;

/** A server that knows nothing of us yet. */
async function fresh() {
  const temporal = await startTemporal({ uiPort: false });
  onTestFinished(() => temporal.stop());
  const { connection } = await connectTo(temporal.address);
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: await temporaryDirectory(),
    TEMPORAL_ADDRESS: temporal.address,
  };
  /** As Temporal Cloud answers: the operator's calls are not for us. */
  const refused = {
    workflowService: connection.workflowService,
    operatorService: new Proxy(connection.operatorService, {
      get: () => () =>
        Promise.reject(
          Object.assign(new Error('7 PERMISSION_DENIED: no'), {
            code: PERMISSION_DENIED,
            details: 'no',
            metadata: {},
          }),
        ),
    }),
  };
  return { connection, refused, env };
}

describe('setup', () => {
  it('registers what runs need, so that it can be used at once, and finds it there the next time', async () => {
    const { connection, env } = await fresh();
    expect(await cli(['setup'], env)).toEqual({
      code: 0,
      stderr: '',
      stdout: `registered in namespace default: ${NAMES.join(', ')}\n`,
    });
    const query = NAMES.map((name) => `${name} = 'x'`).join(' AND ');
    const { count } = await connection.workflowService.countWorkflowExecutions({
      namespace: 'default',
      query,
    });
    expect(Number(count)).toBe(0);
    const again = await cli(['setup', '--json'], env);
    expect(JSON.parse(again.stdout)).toEqual({ namespace: 'default', registered: [] });
  });

  it('adds only what is missing, also when several workers start at the same time', async () => {
    const { connection } = await fresh();
    await connection.operatorService.addSearchAttributes({
      namespace: 'default',
      searchAttributes: { FactoryImage: KEYWORD },
    });
    const all = await Promise.all(
      Array.from({ length: 4 }, () => ensureSearchAttributes(connection, 'default')),
    );
    for (const { registered } of all) expect([[], ['FactoryOutcome']]).toContainEqual(registered);
    expect(await ensureSearchAttributes(connection, 'default')).toEqual({ registered: [] });
  });

  it('refuses one that exists with another type', async () => {
    const { connection, env } = await fresh();
    await connection.operatorService.addSearchAttributes({
      namespace: 'default',
      searchAttributes: { FactoryImage: INT },
    });
    const { code, stderr } = await cli(['setup'], env);
    expect(code).toBe(3);
    expect(stderr).toMatch(/FactoryImage with another type than Keyword.*search-attribute remove/);
  });

  it('where it may not, gives the command for who may; where they are there all the same, is content', async () => {
    const { connection, refused } = await fresh();
    await expect(ensureSearchAttributes(refused, 'default')).rejects.toMatchObject({
      type: 'SearchAttributesMissing',
      message: expect.stringContaining(
        'temporal operator search-attribute create --namespace default --name FactoryImage --name FactoryOutcome --type Keyword',
      ),
    });
    await ensureSearchAttributes(connection, 'default');
    expect(await ensureSearchAttributes(refused, 'default')).toEqual({ registered: [] });
    for (const { type } of SEARCH_ATTRIBUTES) expect(type).toBe(SearchAttributeType.KEYWORD); // as that command says
  });

  it('says that the namespace does not exist', async () => {
    const { env } = await fresh();
    const { code, stderr } = await cli(['setup'], { ...env, TEMPORAL_NAMESPACE: 'nowhere' });
    expect(code).toBe(3);
    expect(stderr).toMatch(/namespace nowhere.*TEMPORAL_NAMESPACE/);
  });
});
