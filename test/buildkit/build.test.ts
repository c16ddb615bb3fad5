import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/registry/digest.js';
import { type ImageManifest, parseManifest } from '../../src/registry/manifest.js';
import { context, mirror } from '../mirror/side.js';
import { type DockerEngine, startDockerEngine } from '../support/docker-engine.js';
import { blobOf, imageOf, indexOf, LINUX_AMD64, LINUX_ARM64, tarOf } from '../support/images.js';
import { openBuilds, pushTask, taskOf } from './world.js';

let docker: DockerEngine;
beforeAll(async () => {
  docker = await startDockerEngine();
});
afterAll(() => docker?.stop());

it('builds', async () => {
  const sides = await openBuilds(docker);
  const busybox = await readFile('/bin/busybox');
  const tar = tarOf({ 'bin/sh': busybox });
  // executable
  const layer = {
    ...blobOf('application/vnd.oci.image.layer.v1.tar+gzip', gzipSync(tar)),
    diffId: digestOf(tar),
  };
  const image = indexOf([
    imageOf({ platform: LINUX_AMD64, layers: [layer] }),
    imageOf({ platform: LINUX_ARM64 }),
  ]);
  const task = await taskOf(sides, 'harness/x:1', image, {
    body: 'COPY hello /hello\nENV A=b\n',
    files: { hello: 'world\n' },
  });
  const t0 = Date.now();
  console.log(await sides.buildkit.state(new AbortController().signal));
  const push = await pushTask(sides, task);
  console.log(Date.now() - t0, JSON.stringify(push.built, null, 1));
  console.log((await sides.evidence.get(push.built.log?.key ?? ''))?.toString());
  console.log(await mirror(sides, push));
  for (const p of push.built.platforms) {
    const m = parseManifest((await sides.content.read(p.target, 1e6))!, 'x') as ImageManifest;
    console.log(JSON.stringify(m), (await sides.content.read(m.config.digest, 1e6))?.toString());
  }
  console.log(await docker.ask('GET', '/images/json?all=true'));
});
