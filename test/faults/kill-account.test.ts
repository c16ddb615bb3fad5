import { expect } from 'vitest';
import { before, killAt, landed } from './kills.js';
import { faultCase } from './matrix.js';
import { expectTruth } from './truth.js';
import { openWorld } from './world.js';

const POINTS = [
  before('account', 'GET', /\/connectors\/harnessImage\?/, 'checkAccount'),
  before('account', 'GET', /\/get-customer-config\?/, 'checkAccount'),
  // The images that will be set are looked at once more.
  before('target', 'HEAD', /\/ci\/harness\/ci-addon\/blobs\//, 'checkAccount'),
  // The snapshot asks for it; discovery did long before.
  before('account', 'GET', /\/get-default-config\?/, 'snapshotAccount'),
];

faultCase(
  'worker',
  `SIGKILL at ${POINTS.length} points while it looks at the account before it changes it: ${POINTS.map(({ name }) => name).join('; ')}`,
  async () => {
    const world = await openWorld({ overrides: { addonTag: 'harness/ci-addon:1.0.0' } });
    const { run, kills } = await killAt(world, POINTS, {});
    const end = await expectTruth(world, run);
    expect(end.outcomes.map(({ kind }) => kind)).toEqual(['mirrored', 'mirrored']);
    expect(end.report.accounts).toMatchObject([{ kind: 'updated' }]);
    const hits = await landed(world, run, kills);
    expect(hits.length).toBeGreaterThanOrEqual(Math.ceil(0.8 * POINTS.length));
    return `${hits.length} of ${POINTS.length} kills landed in a running activity; both images verified`;
  },
  600_000,
);
