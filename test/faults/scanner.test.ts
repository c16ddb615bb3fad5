import { readdir, readFile, writeFile } from 'node:fs/promises';
import { expect, vi } from 'vitest';
import { startWorkerProcess } from '../integration/worker-process.js';
import { faultCase } from './matrix.js';
import { expectTruth } from './truth.js';
import { AIM, openWorld, type World } from './world.js';

/** A `trivy` that goes wrong in its first scans and is the real one otherwise. Its markers are folders: mkdir is atomic. */
async function faultyTrivy(world: World, times: number, fault: string): Promise<Record<string, string>> {
  const { directory } = world.factory;
  const path = `${directory}/trivy-faulty`;
  const script = `#!/bin/sh
case " $* " in *" --input "*)
  for n in $(seq ${times}); do
    if mkdir "${directory}/fault-$n" 2>/dev/null; then
      for one in "$@"; do [ "$last" = --output ] && output=$one; last=$one; done
      ${fault}
    fi
  done
esac
exec trivy "$@"
`;
  await writeFile(path, script, { mode: 0o755 });
  return { ...world.env, TRIVY_PATH: path };
}

const ONCE: [name: string, fault: string][] = [
  ['crashes', 'kill -SEGV $$'],
  ['ends with an error', 'echo "FATAL Fatal error scan error: no luck" >&2; exit 1'],
  ['prints garbage and says that all is well', 'printf "{{garbage" > "$output"; exit 0'],
  ['makes no report and says that all is well', 'exit 0'],
  ['reports on another image', `printf '{"SchemaVersion":2,"Results":[]}' > "$output"; exit 0`],
];

faultCase('scanner', `Trivy ${ONCE.map(([name]) => name).join('; ')}: once each`, async () => {
  const kinds = await Promise.all(
    ONCE.map(async ([, fault]) => {
      const world = await openWorld();
      await startWorkerProcess(await faultyTrivy(world, 1, fault));
      const end = await expectTruth(world, await world.start({ scan: true }));
      for (const image of end.report.images) expect(image.verdict?.thisRun).toBe(true);
      return end.outcomes.map(({ kind }) => kind);
    }),
  );
  expect(kinds).toEqual(ONCE.map(() => ['mirrored', 'mirrored']));
  return 'scanned again; both images scanned and verified';
});

faultCase('scanner', 'Trivy crashes on every scan of an image', async () => {
  const world = await openWorld({ images: ({ repository }) => repository === AIM });
  await startWorkerProcess(await faultyTrivy(world, 50, 'kill -SEGV $$'));
  const end = await expectTruth(world, await world.start({ scan: true }));
  expect(end.type).toBe('ImagesFailed');
  expect(end.outcomes).toMatchObject([{ kind: 'failed', type: 'ScannerFailed' }]);
  expect(world.target.seen.filter(({ method }) => method === 'PUT' || method === 'POST')).toEqual([]);
  const scans = (await readdir(world.factory.directory)).filter((name) => name.startsWith('fault-'));
  // Two platforms an attempt, of which the second may not come to its start.
  expect([3, 4, 5, 6]).toContain(scans.length);
  return 'ScannerFailed after three attempts; nothing was pushed, the account is as it was';
});

faultCase('scanner', 'Trivy hangs until someone kills it', async () => {
  const world = await openWorld();
  const pidFile = `${world.factory.directory}/hung`;
  const env = await faultyTrivy(world, 1, `echo $$ > "${pidFile}"; exec sleep 3600`);
  await startWorkerProcess(env);
  const run = await world.start({ scan: true });
  const pid = await vi.waitFor(
    async () => {
      const text = await readFile(pidFile, 'utf8');
      if (!/^\d+\n$/.test(text)) throw new Error('no pid yet');
      return Number(text);
    },
    { timeout: 60_000, interval: 50 },
  );
  // It hangs for longer than a heartbeat's timeout, and nobody takes its worker for dead.
  await vi.waitFor(
    async () => {
      const scans = (await world.pending(run)).filter(({ type }) => type === 'scanImage');
      expect(Math.max(...scans.map(({ ranMs }) => ranMs))).toBeGreaterThan(18_000);
      expect(scans.map(({ attempt }) => attempt)).toEqual(scans.map(() => 1));
    },
    { timeout: 60_000, interval: 500 },
  );
  process.kill(pid, 'SIGKILL');
  const end = await expectTruth(world, run);
  expect(end.outcomes.map(({ kind }) => kind)).toEqual(['mirrored', 'mirrored']);
  return 'the step shows that it is alive; once Trivy is killed it is scanned again (left alone, after 15 min)';
});
