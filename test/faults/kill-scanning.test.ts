import { expect } from 'vitest';
import { file, killAt, landed } from './kills.js';
import { faultCase } from './matrix.js';
import { expectTruth } from './truth.js';
import { openWorld } from './world.js';

const POINTS = [
  file("a scan's directory", ({ env }) => `${env.CONTENT_DIR}/scans`, 'scanImage'),
  file('the first verdict', ({ env }) => `${env.REPORT_DIR}/verdicts`, 'scanImage'),
  file('the report', ({ evidence }, runId) => evidence(`runs/${runId}/report.json`), 'writeReport'),
];

faultCase(
  'worker',
  `SIGKILL at ${POINTS.length} points while it scans and reports: ${POINTS.map(({ name }) => name).join('; ')}`,
  async () => {
    const world = await openWorld();
    const { run, kills } = await killAt(world, POINTS, { scan: true, modifyDefault: false });
    const end = await expectTruth(world, run);
    expect(end.outcomes.map(({ kind }) => kind)).toEqual(['mirrored', 'mirrored']);
    // What appears last may be all that there was left to do; requests (the other files) land always.
    const hits = await landed(world, run, kills);
    expect(hits.length).toBeGreaterThanOrEqual(1);
    return `${hits.length} of ${POINTS.length} kills landed in a running activity; both images verified`;
  },
  600_000,
);
