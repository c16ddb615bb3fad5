import { writeFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { startWorkerProcess } from '../integration/worker-process.js';
import { faultCase } from './matrix.js';
import { expectTruth } from './truth.js';
import { openWorld } from './world.js';

const HOURS = 3_600_000;

/** Loaded into the worker's process before its code: its clock shows what the file says, in ms beside the real one. */
const SHIM = (file: string): string => `
import { readFileSync } from 'node:fs';
const RealDate = globalThis.Date;
const now = () => RealDate.now() + Number(readFileSync(${JSON.stringify(file)}, 'utf8'));
globalThis.Date = class extends RealDate {
  constructor(...given) { given.length === 0 ? super(now()) : super(...given); }
  static now() { return now(); }
};
`;

for (const [name, hours] of [
  ['two days ahead', 48],
  ['two days back', -48],
] as const) {
  faultCase(
    'clock',
    `the worker's clock jumps ${name} while it pushes, and back while it verifies`,
    async () => {
      const world = await openWorld();
      const file = `${world.factory.directory}/clock`;
      const shim = `${world.factory.directory}/clock.mjs`;
      await writeFile(file, '0');
      await writeFile(shim, SHIM(file));
      const jumps = [
        world.target.meet({ method: 'PUT', url: /\/ci\/harness\/ci-addon\/blobs\/uploads\// }, () =>
          writeFile(file, String(hours * HOURS)),
        ),
        world.target.meet({ method: 'HEAD', url: /\/ci\/harness\/ci-addon\/manifests\/1\.16\.92$/ }, () =>
          writeFile(file, '0'),
        ),
      ];
      await startWorkerProcess({ ...world.env, NODE_OPTIONS: `--import ${shim}` });
      const run = await world.start({ scan: true });
      await Promise.all(jumps);
      const end = await expectTruth(world, run);
      expect(end.outcomes.map(({ kind }) => kind)).toEqual(['mirrored', 'mirrored']);
      return 'no step is lost or done twice; both images verified';
    },
  );
}
