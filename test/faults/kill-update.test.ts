import { expect } from 'vitest';
import { after, before, beforeUpdate, killAt, landed } from './kills.js';
import { faultCase } from './matrix.js';
import { expectTruth } from './truth.js';
import { openWorld } from './world.js';

const POINTS = [
  beforeUpdate,
  before('account', 'POST', /\/update-config\?/, 'updateAccount'),
  after('account', 'POST', /\/update-config\?/, 'updateAccount'),
  // The first request of the read-back: the kill is between update and read-back.
  before('account', 'GET', /\/get-customer-config\?.*overridesOnly=false/, 'readBackAccount'),
];

faultCase(
  'worker',
  `SIGKILL at ${POINTS.length} points while it changes the account: ${POINTS.map(({ name }) => name).join('; ')}`,
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
