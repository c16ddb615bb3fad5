import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { WORKFLOW } from '../../src/contract/names.js';
import type { RunResult } from '../../src/contract/outcome.js';
import { few, openFactory } from './factory.js';

it('an account is asked by GraphQL once a run, and the report says whether that or REST answered', async () => {
  const factory = await openFactory({ images: few });
  const { harness } = factory;
  const input = { ...factory.input, harnessUrl: `${harness.url}/api/graphql`, scan: false };

  async function run() {
    const before = harness.requests.length;
    const result: RunResult = await (await factory.start(WORKFLOW.imageFactory, input)).result();
    const report = JSON.parse(await readFile(result.report?.json ?? '', 'utf8'));
    return {
      counts: result.counts,
      answeredBy: report.configuration.answeredBy,
      paths: harness.requests.slice(before).map(({ path }) => path.replace(/^\/gateway/, '')),
    };
  }
  const isGraphql = (path: string): boolean => path === '/api/graphql';

  const today = await run();
  expect(today).toMatchObject({ counts: { mirrored: 2 }, answeredBy: 'REST' });
  expect(today.paths.filter(isGraphql)).toHaveLength(1);
  expect(today.paths.slice(0, 2)).toEqual(['/api/graphql', '/ci/execution-config/get-default-config']);

  harness.state.graphqlHasImages = true;
  const oneDay = await run();
  expect(oneDay).toMatchObject({ counts: { unchanged: 2, mirrored: 0 }, answeredBy: 'GraphQL' });
  expect(oneDay.paths.filter(isGraphql)).toHaveLength(1);
  // The update's own reads and checks go over REST.
  expect(oneDay.paths.slice(0, 2)).toEqual(['/api/graphql', '/ng/api/connectors/harnessImage']);
});
