import { once } from 'node:events';
import { readdir, readFile, rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pushImage } from '../../src/mirror/push.js';
import { verifyImage } from '../../src/mirror/verify.js';
import { context, mirror } from '../mirror/side.js';
import { type DockerEngine, startDockerEngine } from '../support/docker-engine.js';
import { imageOf, layerOf } from '../support/images.js';
import {
  builtPlatform,
  imagesOn,
  localEngine,
  logOf,
  openBuilds,
  programLayer,
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

describe('a platform that the engine can’t build', () => {
  it('fails the image, with the ways out, before anything is built', async () => {
    const sides = await openBuilds(docker);
    const task = await taskOf(sides, 'harness/fails:1', await shellImage(), RUNS);
    await expect(sides.engine.build(task, context())).rejects.toMatchObject({
      type: 'PlatformNotBuildable',
      retryable: false,
      message: expect.stringMatching(
        /^harness\/fails:1 can't be built for linux\/arm64\/v8 \(the engine runs programs of linux\/amd64.* only\): set onUnbuildablePlatform in the template to copy .* or skip/,
      ),
    });
  });

  it('is copied: only labelled, and its layers are the source’s', async () => {
    const sides = await openBuilds(docker);
    const image = await shellImage();
    const task = await taskOf(sides, 'harness/copied:1', image, { ...RUNS, onUnbuildablePlatform: 'copy' });
    const push = await pushTask(sides, task);
    const { manifest } = await builtPlatform(sides, push.built, 'linux/arm64/v8');
    expect(manifest.layers.map(({ digest }) => digest)).toEqual(
      image.platforms[1]?.layers.map(({ descriptor }) => descriptor.digest),
    );
    await mirror(sides, push);
  });

  it('is left out, and named', async () => {
    const sides = await openBuilds(docker);
    const task = await taskOf(sides, 'harness/skipped:1', await shellImage(), {
      ...RUNS,
      onUnbuildablePlatform: 'skip',
    });
    const push = await pushTask(sides, task);
    expect(push.built).toMatchObject({
      platforms: [{ platform: 'linux/amd64', how: 'built' }],
      skipped: ['linux/arm64/v8'],
    });
    await mirror(sides, push);
  });

  it('may be all that there is: then nothing is left to push', async () => {
    const sides = await openBuilds(docker);
    const windows = imageOf({
      platform: { os: 'windows', architecture: 'amd64', 'os.version': '10.0.20348.1' },
    });
    const task = await taskOf(sides, 'harness/windows:1', windows, {
      body: '',
      onUnbuildablePlatform: 'skip',
    });
    await expect(sides.engine.build(task, context())).rejects.toMatchObject({ type: 'PlatformNotBuildable' });
  });

  it('shows itself where a program of another machine is run', async () => {
    const sides = await openBuilds(docker);
    // The engine runs it by its own means, it believes; but its shell is one of arm64.
    const image = imageOf({
      platform: { os: 'linux', architecture: '386' },
      layers: [programLayer({ 'bin/sh': 'a program of another machine' })],
    });
    const task = await taskOf(sides, 'harness/foreign:1', image, { body: 'RUN true' });
    await expect(sides.engine.build(task, context())).rejects.toMatchObject({
      type: 'PlatformNotBuildable',
      message: expect.stringMatching(/linux\/386 \(the engine can't run programs of linux\/386\)/),
    });
  });
});

describe('a mistake in the dockerfile', () => {
  const failing = async (body: string, files: Record<string, string> = {}) => {
    const sides = await openBuilds(docker);
    const task = await taskOf(sides, 'harness/wrong:1', await shellImage(), {
      body,
      files,
      platforms: ['linux/amd64'],
    });
    const error: unknown = await sides.engine.build(task, context()).catch((thrown: unknown) => thrown);
    return { error, sides, task };
  };

  it.each([
    [
      'a program that fails',
      '# first\nENV A=b\nRUN echo why; \\\n  exit 3\nRUN true',
      /at line 3 \(RUN echo why; exit 3\): .*exit code: 3; it printed: why/,
    ],
    ['an unknown instruction', 'ENV A=b\n\nRUNN true', /at line 3 \(RUNN true\): .*unknown instruction/],
    ['a file that is not there', 'WORKDIR /x\nCOPY nope /x', /at line 2 \(COPY nope \/x\): .*not found/],
    ['an instruction without what it needs', 'ENV', /at line 1 \(ENV\)/],
    ['a second base', 'FROM scratch\nCOPY a /a', /may not begin another image/],
  ])('names the line of %s, and is not tried again', async (_what, body, message) => {
    const { error } = await failing(body, { a: 'a' });
    expect(error).toMatchObject({
      type: 'BuildFailed',
      retryable: false,
      message: expect.stringMatching(message),
    });
    expect(await imagesOn(docker)).toEqual([]);
  });

  it('keeps all that was printed as evidence', async () => {
    const { error, sides, task } = await failing('RUN echo one; echo two; false');
    const [, key = ''] = /All that it printed: (\S+)$/.exec(String(error)) ?? [];
    expect(key).toMatch(new RegExp(`^runs/${task.runId}/builds/`));
    expect((await sides.evidence.get(key))?.toString()).toMatch(/#\d+ one\n#\d+ two\n/);
  });
});

describe('what a hostile dockerfile prints', () => {
  it('is cut in the middle, whatever there is of it', async () => {
    const sides = await openBuilds(docker);
    const line = 'y'.repeat(200);
    const task = await taskOf(sides, 'harness/loud:1', await shellImage(), {
      body: `RUN busybox yes ${line} | busybox head -c 40000000; echo; echo the-end > /end; echo the-end`,
      platforms: ['linux/amd64'],
    });
    const { built } = await pushTask(sides, task);
    const log = await logOf(sides, built);
    expect(log.length).toBeLessThan(1 << 20);
    expect(log).toMatch(/^harness\/loud:1/);
    expect(log).toMatch(/lines left out|output clipped/);
  });

  it('moves no cursor and turns no text around', async () => {
    const sides = await openBuilds(docker);
    const task = await taskOf(sides, 'harness/ansi:1', await shellImage(), {
      body: String.raw`RUN printf '\033[2J\033]0;owned\007red\033[31m \342\200\256txet\000 \233end\r\nnext\n'; false`,
      platforms: ['linux/amd64'],
    });
    const error: unknown = await sides.engine.build(task, context()).catch((thrown: unknown) => thrown);
    const [, key = ''] = /All that it printed: (\S+)$/.exec(String(error)) ?? [];
    const log = (await sides.evidence.get(key))?.toString() ?? '';
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there is none
    const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/;
    expect(log).toMatch(/red/);
    expect(log).toMatch(/next/);
    expect(log).not.toMatch(CONTROL);
    expect(String(error)).not.toMatch(CONTROL);
  });
});

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

  it('clean up after a run: what is not ours, or of a run that goes on, stays', async () => {
    const sides = await openBuilds(docker);
    await docker.importImage('someone/elses', new Uint8Array(layerOf({ a: 'a' }).bytes));
    const name = (run: string, at: number) =>
      `image-factory.local/${run}/base:0123456789ab-${at}-0123456789ab`;
    const [dead, ours, going] = [
      name('dead-run', Date.now() - 25 * 3_600_000),
      name('run-x', Date.now()),
      name('other-run', Date.now() - 3_600_000),
    ];
    for (const tag of [dead, ours, going, 'image-factory.local/not/made:by-us']) {
      const at = tag.lastIndexOf(':');
      const query = new URLSearchParams({ repo: tag.slice(0, at), tag: tag.slice(at + 1) });
      await docker.ask('POST', `/images/someone/elses/tag?${query}`);
    }
    expect(await sides.buildkit.clean('run-x', context().signal)).toBe(2);
    expect(await imagesOn(docker)).toEqual(
      [going, 'image-factory.local/not/made:by-us', 'someone/elses:latest'].sort(),
    );
    for (const image of await imagesOn(docker)) await docker.ask('DELETE', `/images/${image}`);
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
