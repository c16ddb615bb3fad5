import { execFile } from 'node:child_process';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { expect, onTestFinished } from 'vitest';
import { startWorkerProcess } from '../integration/worker-process.js';
import { faultCase } from './matrix.js';
import { expectTruth } from './truth.js';
import { openWorld } from './world.js';

const run = promisify(execFile);

/** A file system of its own of 2 MB; undefined where this user may not mount one. */
async function smallDisk(directory: string): Promise<{ grow(): Promise<void> } | undefined> {
  await mkdir(directory, { recursive: true });
  const mount = ['mount', '-t', 'tmpfs', '-o', 'size=2m,mode=777', 'tmpfs', directory];
  for (const sudo of [[], ['sudo', '-n']]) {
    const call = (args: string[]) => {
      const [program = '', ...rest] = [...sudo, ...args];
      return run(program, rest);
    };
    const mounted = await call(mount).then(
      () => true,
      () => false,
    );
    if (!mounted) continue;
    onTestFinished(async () => {
      await call(['umount', '--lazy', directory]);
    });
    return { grow: async () => void (await call(['mount', '-o', 'remount,size=64m', directory])) };
  }
  return undefined;
}

faultCase('disk', 'the content store is on a disk that is full, and has room again later', async () => {
  const world = await openWorld();
  const disk = await smallDisk(world.env.CONTENT_DIR);
  // Without the right to mount: a store that may not grow far enough, and then a worker that has more.
  const small = await startWorkerProcess({
    ...world.env,
    ...(disk === undefined ? { CONTENT_MAX_GB: '0.001' } : {}),
  });
  const handle = await world.start({ scan: true }); // what is only sent on would not need the disk
  const full = await world.failedWith(handle, 'DiskFull');
  expect(['scanImage', 'pushImage', 'buildImage']).toContain(full.type); // two images fill it
  if (disk === undefined) {
    await small.terminate();
    await startWorkerProcess(world.env);
  } else await disk.grow();
  const end = await expectTruth(world, handle);
  expect(end.outcomes.map(({ kind }) => kind)).toEqual(['mirrored', 'mirrored']);
  return `DiskFull until there is room (${disk === undefined ? 'CONTENT_MAX_GB' : 'a real file system of 2 MB'}), then goes on; both images verified`;
});

faultCase('disk', 'the evidence store is away while images are pushed and back later', async () => {
  const world = await openWorld();
  const evidence = await removable(world.env.REPORT_DIR);
  const away = world.target.meet({ method: 'PUT', url: /\/ci\/harness\/ci-addon\/blobs\/uploads\// }, () =>
    evidence.goes(),
  );
  await startWorkerProcess(world.env);
  const handle = await world.start();
  await away;
  await world.failedWith(handle, 'EvidenceUnavailable');
  const tags = world.target.seen.filter(
    (one) => one.method === 'PUT' && /ci-addon.*\/1\.16\.92$/.test(one.url),
  );
  expect(tags).toEqual([]);
  await evidence.comesBack();
  const end = await expectTruth(world, handle);
  expect(end.outcomes.map(({ kind }) => kind)).toEqual(['mirrored', 'mirrored']);
  return 'no tag is put that nobody could remember; goes on when it is back; report complete';
});

faultCase('disk', 'the evidence store is away when the account is to be updated', async () => {
  const overrides = { addonTag: 'harness/ci-addon:1.0.0' };
  const world = await openWorld({ overrides });
  const evidence = await removable(world.env.REPORT_DIR);
  const away = world.account.meet({ method: 'POST', url: /\/testConnection\// }, () => evidence.goes());
  await startWorkerProcess(world.env);
  const handle = await world.start();
  await away;
  await world.failedWith(handle, 'EvidenceUnavailable');
  expect(world.factory.harness.state.overrides.K8).toEqual(overrides);
  await evidence.comesBack();
  const end = await expectTruth(world, handle);
  expect(end.report.accounts).toMatchObject([{ kind: 'updated' }]);
  return 'nothing is changed without a snapshot; goes on when it is back';
});

/** A folder by a link, which leads to a file or back in one step: what writes meanwhile finds the one or the other. */
async function removable(folder: string) {
  const real = `${folder}.real`;
  const none = `${folder}.none`;
  await mkdir(real, { recursive: true });
  await writeFile(none, 'no folder');
  const lead = async (to: string): Promise<void> => {
    await symlink(to, `${folder}.next`);
    await rename(`${folder}.next`, folder);
  };
  await rm(folder, { recursive: true, force: true });
  await lead(real);
  return { goes: () => lead(none), comesBack: () => lead(real) };
}
