import { expect } from 'vitest';
import { after, afterLayer, before, killAt, landed } from './kills.js';
import { faultCase } from './matrix.js';
import { expectTruth } from './truth.js';
import { openWorld } from './world.js';

const POINTS = [
  before('source', 'GET', /\/harness\/ci-addon\/manifests\/sha256:/, 'buildImage'),
  before('source', 'GET', /\/harness\/ci-addon\/blobs\//, 'buildImage'),
  afterLayer,
  before('target', 'POST', /\/ci\/harness\/ci-addon\/blobs\/uploads\//, 'pushImage'),
  before('target', 'PUT', /\/ci\/harness\/ci-addon\/blobs\/uploads\//, 'pushImage'),
  after('target', 'PUT', /\/ci\/harness\/ci-addon\/blobs\/uploads\//, 'pushImage'),
];

faultCase(
  'worker',
  `SIGKILL at ${POINTS.length} points while it reads the source and uploads: ${POINTS.map(({ name }) => name).join('; ')}`,
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
