import { once } from 'node:events';
import { readdir, readFile, rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pushImage } from '../../src/mirror/push.js';
import { verifyImage } from '../../src/mirror/verify.js';
import { context, mirror } from '../mirror/side.js';
import { type DockerEngine, startDockerEngine } from '../support/docker-engine.js';
import { layerOf } from '../support/images.js';
import {
  builtPlatform,
  imagesOn,
  localEngine,
  openBuilds,
  pushTask,
  shellImage,
  taskOf,
  worker,
} from './world.js';

let docker: DockerEngine;
beforeAll(async () => {
  docker = await startDockerEngine();
});
afterAll(() => docker?.stop());

const RUNS = { body: 'RUN echo hello > /hello' };

describe('what was built', () => {
  const build = async () => {
    const sides = await openBuilds(docker);
    const task = await taskOf(sides, 'harness/lost:1', await shellImage(), {
      ...RUNS,
      onUnbuildablePlatform: 'copy',
    });
    return { sides, push: await pushTask(sides, task) };
  };

  it('is pushed by the worker that has it, and lost to another', async () => {
    const { sides, push } = await build();
    const other = await worker(sides, localEngine(docker));
    const failure = await pushImage(push, { ...other, target: sides.registry }, context()).catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ type: 'BuiltContentLost', retryable: false });
    expect(String(failure)).toMatch(/harness\/lost:1 was built, but sha256:\w+ is not on this worker/);
    await mirror(sides, push);
  });

  it('is verified by a worker that never had it', async () => {
    const { sides, push } = await build();
    await pushImage(push, { ...sides, target: sides.registry }, context());
    const other = await worker(sides, localEngine(docker));
    await verifyImage(push, { ...other, target: sides.client() }, context());
    expect((await sides.registry.head(push.target))?.digest).toBe(push.built.digest);
  });

  it('is lost with one of its own layers, and built again then', async () => {
    const { sides, push } = await build();
    const { manifest } = await builtPlatform(sides, push.built, 'linux/amd64');
    const layer = manifest.layers.at(-1)?.digest;
    if (layer === undefined) throw new Error('no layer');
    await rm(sides.content.pathOf(layer));
    await expect(pushImage(push, { ...sides, target: sides.registry }, context())).rejects.toMatchObject({
      type: 'BuiltContentLost',
    });
    const again = { ...push, built: await sides.engine.build(push, context()) };
    await mirror(sides, again);
    // The source's layers are no loss.
    for (const { digest } of manifest.layers.slice(0, 1)) await rm(sides.content.pathOf(digest));
    await pushImage({ ...again, repair: true }, { ...sides, target: sides.registry }, context());
  });

  it('is found out when the registry loses it', async () => {
    const { sides, push } = await build();
    await pushImage(push, { ...sides, target: sides.registry }, context());
    const nothing = { ...push, built: { ...push.built, digest: push.sourceDigest } };
    await expect(verifyImage(nothing, { ...sides, target: sides.client() }, context())).rejects.toMatchObject(
      {
        type: 'VerificationFailed',
        message: expect.stringMatching(/its top manifest is not there/),
      },
    );
  });
});

it('stops a build on the engine when it is cancelled', async () => {
  const sides = await openBuilds(docker);
  const task = await taskOf(sides, 'harness/cancelled:1', await shellImage(), {
    body: 'RUN echo started; busybox sleep 300',
    platforms: ['linux/amd64'],
  });
  const stop = new AbortController();
  const events = new EventTarget();
  const phases: string[] = [];
  const building = sides.engine.build(task, {
    signal: stop.signal,
    progress: ({ phase }) => {
      phases.push(phase);
      events.dispatchEvent(new Event(phase));
    },
  });
  await once(events, 'build');
  await expect.poll(() => sleepers(), { timeout: 20_000 }).toBe(1);
  stop.abort(new Error('no longer wanted'));
  await expect(building).rejects.toThrow('no longer wanted');
  await expect.poll(() => sleepers(), { timeout: 20_000 }).toBe(0);
  await expect.poll(() => imagesOn(docker), { timeout: 20_000 }).toEqual([]);
});

describe('two workers on one engine', () => {
  it('build the same at the same time, and neither takes away what the other needs', async () => {
    const sides = await openBuilds(docker);
    const other = await worker(sides, localEngine(docker));
    const task = await taskOf(sides, 'harness/both:1', await shellImage(), {
      body: 'RUN busybox sleep 1; echo both > /both',
      platforms: ['linux/amd64'],
    });
    const built = await Promise.all([
      sides.engine.build(task, context()),
      other.engine.build({ ...task, runId: `${task.runId}-other` }, context()),
      sides.engine.build({ ...task, runId: `${task.runId}-third` }, context()),
    ]);
    expect(new Set(built.map(({ platforms }) => platforms.length))).toEqual(new Set([1]));
    expect(await imagesOn(docker)).toEqual([]);
  });

  const nameOf = (run: string, hoursAgo: number): string =>
    `image-factory.local/${run}/base:0123456789ab-${Date.now() - hoursAgo * 3_600_000}-0123456789ab`;
  /** Images that others left on the engine, under these names too. */
  const leave = async (...names: string[]): Promise<void> => {
    await docker.importImage('someone/elses', new Uint8Array(layerOf({ a: 'a' }).bytes));
    for (const name of names) {
      const at = name.lastIndexOf(':');
      const query = new URLSearchParams({ repo: name.slice(0, at), tag: name.slice(at + 1) });
      await docker.ask('POST', `/images/someone/elses/tag?${query}`);
    }
  };
  const removeAll = async (): Promise<void> => {
    for (const image of await imagesOn(docker)) await docker.ask('DELETE', `/images/${image}`);
  };

  it('clean up after a run: what is not ours, or of a run that goes on, stays', async () => {
    const sides = await openBuilds(docker);
    const [dead, ours, going] = [nameOf('dead-run', 25), nameOf('run-x', 0), nameOf('other-run', 1)];
    await leave(dead, ours, going, 'image-factory.local/not/made:by-us');
    expect(await sides.buildkit.clean('run-x', context().signal)).toBe(2);
    expect(await imagesOn(docker)).toEqual(
      [going, 'image-factory.local/not/made:by-us', 'someone/elses:latest'].sort(),
    );
    await removeAll();
  });

  it('remove with their first build what dead runs left, whatever worker they had', async () => {
    const sides = await openBuilds(docker);
    const going = nameOf('other-run', 1);
    await leave(nameOf('dead-run', 25), going);
    const task = await taskOf(sides, 'harness/first:1', await shellImage(), { body: 'ENV A=b' });
    await sides.engine.build(task, context());
    expect(await imagesOn(docker)).toEqual([going, 'someone/elses:latest'].sort());
    await removeAll();
  });
});

/** Programs of builds that sleep, as the machine sees them. */
async function sleepers(): Promise<number> {
  let found = 0;
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line === 'busybox\0sleep\u0000300\0') found++;
  }
  return found;
}
