import { expect, it } from 'vitest';
import { checkPullPath, pulledPath, type ValueStyle } from '../../src/harness/pull-path.js';
import { normaliseGateway } from '../../src/harness/url.js';
import { formatReference, parseReference } from '../../src/registry/reference.js';
import { blocks, readDocument } from '../docs/document.js';
import { clientOf, KEY, simulate } from '../support/harness.js';

const document = await readDocument('docs/harness.md');
const [today, oneDay] = blocks(document, 'json').map((text): unknown => JSON.parse(text));
const rows = (heading: string): string[][] =>
  (document.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| ---'))
    .slice(1)
    .map((line) => line.slice(2, -2).split(' | '));
const quoted = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text);

it('docs/harness.md has the query that is sent, and the answer of today', async () => {
  const simulator = await simulate();
  expect(await clientOf(simulator, { graphql: true }).imagesByGraphql(['K8'])).toBeUndefined();
  const [asked] = simulator.requests;
  expect(asked?.body).toMatchObject({ query: blocks(document, 'graphql')[0]?.trim() });
  const response = await fetch(`${simulator.url}/api/graphql?accountId=ACCOUNT_ID`, {
    method: 'POST',
    headers: { 'x-api-key': KEY, 'content-type': 'application/json' },
    body: JSON.stringify(asked?.body),
  });
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual(today);
});

it('docs/harness.md has an answer that the client understands', async () => {
  const simulator = await simulate();
  simulator.fail({ how: { kind: 'answer', status: 200, body: JSON.stringify(oneDay) } });
  expect(await clientOf(simulator, { graphql: true }).imagesByGraphql(['K8'])).toEqual([
    {
      infra: 'K8',
      defaults: { addonTag: 'harness/ci-addon:1.16.92', gitCloneTag: 'harness/drone-git:1.6.9-rootless' },
      overrides: { gitCloneTag: 'harness/drone-git:1.5.4-rootless' },
    },
  ]);
});

it('docs/harness.md says what addresses mean', () => {
  const table = rows('The address');
  expect(table).toHaveLength(5);
  for (const [given, asked] of table)
    for (const address of quoted(given))
      expect(normaliseGateway(address.replace('<id>/…', 'AbC/home'))).toBe(quoted(asked)[0]);
});

it('docs/harness.md says what builds pull', () => {
  const registry = 'registry.example.com/ci';
  const target = formatReference(parseReference(`${registry}/harness/ci-addon:1`));
  const table = rows('What builds will pull');
  expect(table).toHaveLength(7);
  for (const [url, styleCell, pulled, verdict = ''] of table) {
    const style: ValueStyle = quoted(styleCell)[0] === 'relative' ? 'relative' : 'qualified';
    const value = style === 'relative' ? 'harness/ci-addon:1' : target;
    const connector = { type: 'DockerRegistry', url: quoted(url)[0] ?? '' };
    expect(pulledPath({ connector, value })).toBe(quoted(pulled)[0]);
    const fault = checkPullPath({ connector, value, target, registry });
    expect(fault === undefined).toBe(verdict.startsWith('right'));
  }
});
