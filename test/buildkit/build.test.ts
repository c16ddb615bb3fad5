import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { labelsFor } from '../../src/engines/labels.js';
import { planImages } from '../../src/mirror/plan.js';
import { BLOB_TYPE } from '../../src/registry/manifest.js';
import { context, discovered, mirror, runConfig } from '../mirror/side.js';
import { type DockerEngine, startDockerEngine } from '../support/docker-engine.js';
import { artifactOf, imageOf, indexOf, LINUX_AMD64, layerOf } from '../support/images.js';
import {
  builtPlatform,
  imagesOn,
  logOf,
  openBuilds,
  pushTask,
  shellImage,
  shellLayer,
  taskOf,
  worker,
} from './world.js';

let docker: DockerEngine;
beforeAll(async () => {
  docker = await startDockerEngine();
});
afterAll(() => docker?.stop());

describe('a build', () => {
  it('adds layers to those of the source, which stay as they are, and changes what its instructions say', async () => {
    const sides = await openBuilds(docker);
    const image = await shellImage({
      run: {
        Healthcheck: { Test: ['CMD', 'x'], StartInterval: 5e9 },
        'x-vendor': { at: 12345678901234567890n.toString() },
      },
    });
    const task = await taskOf(sides, 'harness/built:1', image, {
      body: [
        'ARG WHO=nobody',
        'COPY hello.txt tool.sh /opt/',
        'ENV GREETING="hello world"',
        'RUN /opt/tool.sh "$WHO" > /opt/said',
        'LABEL com.example.kind=tool',
        'WORKDIR /opt',
        'CMD ["/bin/sh", "-c", "cat said"]',
      ].join('\n'),
      files: { 'hello.txt': 'hello\n', 'tool.sh': { text: '#!/bin/sh\necho "I am $1"\n', executable: true } },
      buildArgs: { WHO: 'the factory' },
      onUnbuildablePlatform: 'copy',
    });
    const push = await pushTask(sides, task);
    expect(push.built.platforms.map(({ platform, how }) => `${platform} ${how}`)).toEqual([
      'linux/amd64 built',
      'linux/arm64/v8 labelled',
    ]);
    const { manifest, config } = await builtPlatform(sides, push.built, 'linux/amd64');
    const [amd64] = image.platforms;
    const [base, ...added] = manifest.layers;
    expect(base).toMatchObject(amd64?.layers[0]?.descriptor ?? {});
    expect(added.map(({ mediaType }) => mediaType)).toEqual(Array(3).fill(BLOB_TYPE.ociLayer));
    expect(config).toMatchObject({
      os: 'linux',
      architecture: 'amd64',
      config: {
        Env: ['PATH=/bin', 'GREETING=hello world'],
        Entrypoint: ['/app'],
        Cmd: ['/bin/sh', '-c', 'cat said'],
        WorkingDir: '/opt',
        Healthcheck: { Test: ['CMD', 'x'], StartInterval: 5e9 },
        'x-vendor': { at: '12345678901234567890' },
      },
    });
    expect(config.rootfs.diff_ids).toHaveLength(4);
    expect(config.history?.filter((entry) => entry.empty_layer !== true)).toHaveLength(3);
    expect(config.config.Labels).toEqual({ 'com.example.kind': 'tool', ...labelsFor(task, {}) });
    expect(await logOf(sides, push.built)).toMatch(/== linux\/amd64: built\n(.*\n)*#\d+ \[3\/4\] RUN/);
    expect(await mirror(sides, push)).toMatchObject({ blobs: 6 });
    expect(await imagesOn(docker)).toEqual([]);

    const plan = async (scan: boolean) => {
      const [item] = await planImages(
        [discovered(sides, 'harness/built:1')],
        runConfig(sides, { buildPush: task.build, scan }),
        { source: sides.registry, target: sides.registry, evidence: sides.evidence },
        false,
        context().signal,
      );
      return item;
    };
    expect(await plan(false)).toMatchObject({ state: 'unchanged' });
    // A run that scans must not take it for scanned.
    const unscanned = { state: 'update', reason: 'what was built of it was not scanned' };
    expect(await plan(true)).toMatchObject(unscanned);
  });

  it('takes what it made before from the engine’s cache, whatever the run', async () => {
    const sides = await openBuilds(docker);
    const image = await shellImage();
    const template = {
      body: 'COPY . /opt\nRUN echo once-more > /opt/x',
      files: { a: 'b' },
      platforms: ['linux/amd64'],
    };
    await pushTask(sides, await taskOf(sides, 'harness/cached:1', image, template));
    const again = await pushTask(sides, await taskOf(sides, 'harness/cached:1', image, template));
    const log = await logOf(sides, again.built);
    expect(log).toMatch(/\[2\/3\] COPY \. \/opt/);
    expect(log.match(/^#\d+ CACHED$/gm)?.length).toBeGreaterThanOrEqual(2);
  });

  it('has its files whole and as they are now, in folders of any name', async () => {
    const sides = await openBuilds(docker);
    const files = (last: string) => ({
      'a/z': 'z',
      'a-b/c': 'c',
      'a.txt': 'txt',
      'a/é/deep/file': 'x'.repeat(300_000) + last,
      empty: '',
    });
    const body = [
      'COPY . /all',
      'RUN busybox find /all -type f | busybox sort && busybox tail -c 3 /all/a/é/deep/file',
      'RUN busybox stat -c "%a %u %Y %n" /all/a/z /all/a',
    ].join('\n');
    const image = await shellImage();
    const printed = async (last: string) => {
      const template = { body, files: files(last), platforms: ['linux/amd64'] };
      return logOf(
        sides,
        (await pushTask(sides, await taskOf(sides, 'harness/files:1', image, template))).built,
      );
    };
    const first = await printed('one');
    for (const path of Object.keys(files(''))) expect(first).toContain(` /all/${path}\n`);
    expect(first.match(/ \/all\/\S+$/gm)?.filter((line) => line.includes('Dockerfile'))).toEqual([]);
    expect(first).toMatch(/#\d+ one\n/);
    expect(first).toMatch(/#\d+ 644 0 0 \/all\/a\/z\n#\d+ 755 0 \d+ \/all\/a\n/);
    // The same size and the same time: only the content tells.
    expect(await printed('two')).toMatch(/#\d+ two\n/);
  });

  it('is not made twice by a worker that still has it, and again where a part is gone', async () => {
    const sides = await openBuilds(docker);
    const task = await taskOf(sides, 'harness/kept:1', await shellImage(), {
      body: 'RUN echo kept > /kept',
      platforms: ['linux/amd64'],
    });
    const first = await sides.engine.build(task, context());
    const nowhere = await worker(sides, { host: 'unix:///nowhere/docker.sock', tls: false, certPath: '' });
    expect(await sides.engine.build(task, context())).toEqual(first);
    await expect(nowhere.engine.build(task, context())).rejects.toMatchObject({ type: 'EngineUnavailable' });
  });

  it('is in Docker’s types where the source is, and what its index lists beside images stays', async () => {
    const sides = await openBuilds(docker);
    const layers = [await shellLayer('docker')];
    const docker2 = imageOf({ flavour: 'docker', platform: LINUX_AMD64, layers });
    const single = await pushTask(
      sides,
      await taskOf(sides, 'harness/single:1', docker2, { body: 'COPY a /a', files: { a: 'a' } }),
    );
    const { manifest } = await builtPlatform(sides, single.built, 'linux/amd64');
    expect(manifest.layers.map(({ mediaType }) => mediaType)).toEqual(Array(2).fill(BLOB_TYPE.dockerLayer));
    await mirror(sides, single);

    const listed = indexOf([imageOf({ layers: [await shellLayer()] })], { extras: [artifactOf('sbom')] });
    const push = await pushTask(
      sides,
      await taskOf(sides, 'harness/listed:1', listed, { body: 'COPY a /a', files: { a: 'a' } }),
    );
    expect(await mirror(sides, push)).toMatchObject({ blobs: 5 });
  });

  it('has one layer where the same is added twice, and none of its own where the base has it', async () => {
    const sides = await openBuilds(docker);
    const image = imageOf({ layers: [layerOf({ 'etc/a': 'a' })] });
    const push = await pushTask(
      sides,
      await taskOf(sides, 'harness/twice:1', image, { body: 'COPY a /a\nCOPY a /a', files: { a: 'a' } }),
    );
    const { manifest, config } = await builtPlatform(sides, push.built, 'linux/amd64');
    expect(manifest.layers).toHaveLength(3);
    expect(config.rootfs.diff_ids).toHaveLength(3);
    await mirror(sides, push);
  });
});

describe('a template that only labels', () => {
  it.each(['oci', 'docker'] as const)('gives the same by either engine (%s)', async (flavour) => {
    const sides = await openBuilds(docker);
    const run = {
      Env: ['PATH=/usr/bin', 'A=b'],
      User: '1000:1000',
      Healthcheck: { Test: ['CMD', '/app', 'ping'], Interval: 1e9, StartInterval: 2e9 },
      'moby.unknown': { big: 1, list: [] },
      ArgsEscaped: true,
      Labels: { 'org.opencontainers.image.title': 'upstream', 'com.example.old': 'yes' },
    };
    const image = await shellImage({ flavour, run });
    const labels = { 'com.example.team': 'ci' };
    const task = await taskOf(sides, 'harness/labelled:1', image, { body: '', labels });
    const built = await sides.engine.build(task, context());
    const { buildkit: _none, ...build } = task.build;
    const registry = await sides.engine.build(
      { ...task, build: { ...build, engine: 'registry' } },
      context(),
    );
    for (const platform of ['linux/amd64', 'linux/arm64/v8']) {
      const one = await builtPlatform(sides, built, platform);
      const other = await builtPlatform(sides, registry, platform);
      expect(one.manifest.layers).toEqual(other.manifest.layers);
      expect(one.config).toEqual(other.config);
    }
    expect(built.digest).toBe(registry.digest);
    expect(built.platforms.every(({ how }) => how === 'built')).toBe(true);
  });

  it('merges labels of the dockerfile under the template’s, and gives the same on every day', async () => {
    const sides = await openBuilds(docker);
    const template = {
      body: 'LABEL com.example.team=body com.example.more="a b"\nENV PROXY=http://proxy.example:3128',
      labels: { 'com.example.team': 'template' },
    };
    const image = await shellImage();
    const one = await pushTask(sides, await taskOf(sides, 'harness/env:1', image, template));
    const other = await pushTask(sides, await taskOf(sides, 'harness/env:1', image, template));
    expect(one.built.digest).toBe(other.built.digest);
    const { config, manifest } = await builtPlatform(sides, one.built, 'linux/arm64/v8');
    expect(manifest.layers).toHaveLength(1);
    expect(config.config).toMatchObject({
      Env: ['PATH=/bin', 'PROXY=http://proxy.example:3128'],
      Labels: { 'com.example.team': 'template', 'com.example.more': 'a b' },
    });
    expect(config).not.toHaveProperty('config.Labels.io.harness.image-factory.run');
    expect(config.created).toBe('2024-01-02T03:04:05Z');
    await mirror(sides, one);
  });
});

it('tells what it is and builds for', async () => {
  const sides = await openBuilds(docker);
  expect(await sides.buildkit.state(context().signal)).toEqual({
    version: docker.version,
    platforms: expect.arrayContaining(['linux/amd64']),
  });
});
