import { expect } from 'vitest';
import { after, before, killAt, landed } from './kills.js';
import { faultCase } from './matrix.js';
import { expectTruth } from './truth.js';
import { openWorld } from './world.js';

const POINTS = [
  before('target', 'PUT', /\/ci\/harness\/ci-addon\/manifests\/sha256:/, 'pushImage'),
  // The first request of verify: the kill is between push and verify.
  before('target', 'GET', /\/ci\/harness\/ci-addon\/manifests\/sha256:/, 'verifyImage'),
  before('target', 'GET', /\/ci\/harness\/ci-addon\/blobs\//, 'verifyImage'),
  before('target', 'PUT', /\/ci\/harness\/ci-addon\/manifests\/1\.16\.92$/, 'verifyImage'),
  after('target', 'PUT', /\/ci\/harness\/ci-addon\/manifests\/1\.16\.92$/, 'verifyImage'),
  before('target', 'HEAD', /\/ci\/harness\/ci-addon\/manifests\/1\.16\.92$/, 'verifyImage'),
];

faultCase(
  'worker',
  `SIGKILL at ${POINTS.length} points while it puts manifests, verifies, and puts the tag: ${POINTS.map(({ name }) => name).join('; ')}`,
  async () => {
    const world = await openWorld();
    const { run, kills } = await killAt(world, POINTS, { modifyDefault: false });
    const end = await expectTruth(world, run);
    expect(end.outcomes.map(({ kind }) => kind)).toEqual(['mirrored', 'mirrored']);
    const hits = await landed(world, run, kills);
    expect(hits.length).toBeGreaterThanOrEqual(Math.ceil(0.8 * POINTS.length));
    return `${hits.length} of ${POINTS.length} kills landed in a running activity; both images verified`;
  },
  600_000,
);
