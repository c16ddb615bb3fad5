import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readLedger } from '../../src/mirror/ledger.js';
import { context, mirror } from '../mirror/side.js';
import { type DockerEngine, startDockerEngine } from '../support/docker-engine.js';
import { imageOf } from '../support/images.js';
import {
  builtPlatform,
  openBuilds,
  programLayer,
  pushTask,
  shellImage,
  shellLayer,
  taskOf,
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
    expect(await readLedger(sides.evidence, push.target)).toMatchObject({
      built: true,
      skipped: ['linux/arm64/v8'],
    });
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

  it('is not one whose programs run, whatever the template’s own say', async () => {
    const sides = await openBuilds(docker);
    // An amd64 machine runs it, though it is not of the platform's kind.
    const image = imageOf({ platform: { os: 'linux', architecture: '386' }, layers: [await shellLayer()] });
    const task = await taskOf(sides, 'harness/mistaken:1', image, {
      body: 'RUN echo "/opt/tool: Exec format error"; exit 126',
      onUnbuildablePlatform: 'copy',
    });
    await expect(sides.engine.build(task, context())).rejects.toMatchObject({
      type: 'BuildFailed',
      message: expect.stringMatching(
        /at line 1 .* exit code: 126; it printed: \/opt\/tool: Exec format error/,
      ),
    });
  });
});
