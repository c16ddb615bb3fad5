import { writeFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { z } from 'zod';
import { startWorkerProcess } from '../integration/worker-process.js';
import { faultCase } from './matrix.js';
import { expectTruth } from './truth.js';
import { openWorld, readJson } from './world.js';

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
    `the worker's clock jumps ${name} before it scans, and back as the account is set`,
    async () => {
      const world = await openWorld();
      const file = `${world.factory.directory}/clock`;
      const shim = `${world.factory.directory}/clock.mjs`;
      await writeFile(file, '0');
      await writeFile(shim, SHIM(file));
      const jumps = [
        world.source.meet({ method: 'GET', url: /\/aquasec\/trivy-db\/blobs\// }, () =>
          writeFile(file, String(hours * HOURS)),
        ),
        world.account.meet({ method: 'POST', url: /\/update-config\?/ }, () => writeFile(file, '0')),
      ];
      await startWorkerProcess({ ...world.env, NODE_OPTIONS: `--import ${shim}` });
      const run = await world.start({ scan: true });
      await Promise.all(jumps);
      const end = await expectTruth(world, run);
      expect(end.outcomes.map(({ kind }) => kind)).toEqual(['mirrored', 'mirrored']);
      const snapshot = await readJson(world.evidence(end.report.accounts[0]?.snapshot ?? ''));
      const { takenAt } = z.object({ takenAt: z.iso.datetime() }).parse(snapshot);
      // The jump was real for our code.
      expect(Math.abs(Date.parse(takenAt) - Date.now() - hours * HOURS)).toBeLessThan(HOURS);
      return 'no step is lost or done twice; both images verified, account updated';
    },
  );
}
