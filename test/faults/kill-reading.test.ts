import { expect } from 'vitest';
import { askedByTrivy, before, killAt, landed } from './kills.js';
import { faultCase } from './matrix.js';
import { expectTruth } from './truth.js';
import { openWorld } from './world.js';

const POINTS = [
  before('account', 'GET', /\/get-default-config\?/, 'discoverImages'),
  before('source', 'HEAD', /\/harness\/ci-addon\/manifests\//, 'planPage'),
  askedByTrivy('source', 'GET', /\/aquasec\/trivy-db\/blobs\//, 'pinDatabase'),
];

faultCase(
  'worker',
  `SIGKILL at ${POINTS.length} points while it finds out what there is to do: ${POINTS.map(({ name }) => name).join('; ')}`,
  async () => {
    const world = await openWorld();
    const { run, kills } = await killAt(world, POINTS, { scan: true, modifyDefault: false });
    const end = await expectTruth(world, run);
    expect(end.outcomes.map(({ kind }) => kind)).toEqual(['mirrored', 'mirrored']);
    const hits = await landed(world, run, kills);
    expect(hits.length).toBeGreaterThanOrEqual(Math.ceil(0.8 * POINTS.length));
    return `${hits.length} of ${POINTS.length} kills landed in a running activity; both images verified`;
  },
  600_000,
);
