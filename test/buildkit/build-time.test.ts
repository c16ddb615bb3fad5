import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FactoryError } from '../../src/common/errors.js';
import type { BuildTask } from '../../src/contract/activities.js';
import { BUILD_LIMITS, BuildTime } from '../../src/engines/buildkit/build-time.js';
import { TooLong } from '../../src/engines/buildkit/docker-client.js';
import { context } from '../mirror/side.js';
import { type DockerEngine, startDockerEngine } from '../support/docker-engine.js';
import { imagesOn, openBuilds, shellImage, taskOf, type Worker } from './world.js';

describe('the end of an image’s time', () => {
  const LIMITS = { ...BUILD_LIMITS, imageMs: 100 };
  const over = (time: BuildTime) => once(time.signal, 'abort');

  it('is the template’s where its instructions took most of it', async () => {
    const time = new BuildTime(LIMITS);
    await time.instructions('linux/arm64', () => over(time));
    expect(time.failure(time.signal.reason, 'harness/x:1', ['last words'])).toMatchObject({
      type: 'BuildFailed',
      message: expect.stringMatching(
        /^harness\/x:1: .* no end for all platforms within .*linux\/arm64; it printed: last words$/,
      ),
    });
  });

  it('is tried again where something else did', async () => {
    const time = new BuildTime(LIMITS);
    await time.instructions('linux/arm64', async () => {});
    await over(time);
    expect(time.failure(time.signal.reason, 'harness/x:1', [])).toMatchObject({
      type: 'EngineUnavailable',
      retryable: true,
    });
    // What failed by itself at the last moment is what it is.
    const own = new FactoryError('DiskFull', 'no space');
    expect(time.failure(own, 'harness/x:1', [])).toBeUndefined();
  });

  it('is not every failure', async () => {
    const time = new BuildTime(BUILD_LIMITS);
    expect(time.failure(new Error('a bug'), 'harness/x:1', [])).toBeUndefined();
    await time.instructions('linux/amd64', async (limitMs) => expect(limitMs).toBe(40 * 60_000));
    expect(time.failure(new TooLong('no end'), 'harness/x:1', [])).toMatchObject({
      type: 'BuildFailed',
      message: "harness/x:1 for linux/amd64: the template's dockerfile has no end within 40 minutes",
    });
  });
});

describe('a build that does not end', () => {
  let docker: DockerEngine;
  beforeAll(async () => {
    docker = await startDockerEngine();
  });
  afterAll(() => docker?.stop());

  const endless = async (sides: Worker, name: string): Promise<BuildTask> =>
    taskOf(sides, name, await shellImage(), {
      body: `RUN echo begun ${name}; busybox sleep 600`,
      platforms: ['linux/amd64'],
    });

  it.each([
    ['of one platform', { platformMs: 8_000 }, /harness\/endless:1 for linux\/amd64: .* has no end within/],
    ['of the image', { imageMs: 10_000 }, /harness\/endless:1: .* no end for all platforms within/],
  ])('fails at the limit %s, and what it printed is kept', async (_what, limits, message) => {
    const sides = await openBuilds(docker, limits);
    const task = await endless(sides, 'harness/endless:1');
    const error: unknown = await sides.engine.build(task, context()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      type: 'BuildFailed',
      retryable: false,
      message: expect.stringMatching(message),
    });
    const [, key = ''] =
      /it printed: begun harness\/endless:1\. All that it printed: (\S+)$/.exec(String(error)) ?? [];
    expect((await sides.evidence.get(key))?.toString()).toMatch(/#\d+ begun .*\nERROR: .* no end /s);
    await expect.poll(() => imagesOn(docker), { timeout: 20_000 }).toEqual([]);
  });

  it('holds its lane, and who waits too long for one is tried again', async () => {
    const sides = await openBuilds(docker, { waitMs: 100 });
    const stop = new AbortController();
    const building = [];
    for (const name of ['harness/one:1', 'harness/two:1']) {
      const task = await endless(sides, name);
      const events = new EventTarget();
      const progress = ({ phase }: { phase: string }) => void events.dispatchEvent(new Event(phase));
      building.push(sides.engine.build(task, { signal: stop.signal, progress }).catch(() => 'stopped'));
      await once(events, 'build');
    }
    const third = await endless(sides, 'harness/three:1');
    await expect(sides.engine.build(third, context())).rejects.toMatchObject({
      type: 'EngineUnavailable',
      message: expect.stringMatching(/^harness\/three:1 waited .* lower maxConcurrency$/),
    });
    stop.abort();
    expect(await Promise.all(building)).toEqual(['stopped', 'stopped']);
  });
});
