import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { labelsFor } from '../../src/engines/labels.js';
import { planImages } from '../../src/mirror/plan.js';
import { context, crane, discovered, mirror, runConfig } from '../mirror/side.js';
import { type DockerEngine, startDockerEngine } from '../support/docker-engine.js';
import type { TestImage } from '../support/images.js';
import { asksFor, corporateServer, debianImage, PATH, runImage } from './corporate.js';
import { builtPlatform, imagesOn, openBuilds, pushTask, taskOf } from './world.js';

// The first time a Debian system is made as well.
const MADE_WITHIN_MS = 600_000;

let docker: DockerEngine;
let image: TestImage;
beforeAll(async () => {
  docker = await startDockerEngine();
  image = await debianImage('1000:1000');
}, MADE_WITHIN_MS);
afterAll(() => docker?.stop());

describe('a template with the company’s certificate authority', () => {
  it(
    'makes an image that trusts it, by the engine for amd64, and copies arm64',
    async () => {
      const { certificate, port } = await corporateServer();
      const sides = await openBuilds(docker);
      const task = await taskOf(sides, 'harness/ci:1', image, {
        body: [
          'COPY corporate-ca.crt /usr/local/share/ca-certificates/corporate-ca.crt',
          'USER root',
          'RUN update-ca-certificates',
          '# as whom the image runs',
          'ARG BASE_USER',
          'USER $BASE_USER',
        ].join('\n'),
        files: { 'corporate-ca.crt': certificate },
        onUnbuildablePlatform: 'copy',
      });
      const push = await pushTask(sides, task);
      await mirror(sides, push);

      const asks = asksFor(port);
      expect(await runImage(docker, task.source, asks)).not.toBe(0);
      expect(await runImage(docker, task.target, asks)).toBe(0);
      expect(await runImage(docker, task.target)).toBe(0);

      const config: unknown = JSON.parse(await crane('config', task.target, '--platform', 'linux/amd64'));
      expect(config).toMatchObject({
        config: {
          Entrypoint: ['/usr/bin/openssl'],
          Cmd: ['version'],
          User: '1000:1000',
          Env: [PATH],
          Labels: labelsFor(task, {}),
        },
      });
      for (const [position, platform] of ['linux/amd64', 'linux/arm64/v8'].entries()) {
        const source = image.platforms[position];
        const { manifest } = await builtPlatform(sides, push.built, platform);
        const upstream = source?.layers.map(({ descriptor }) => descriptor) ?? [];
        expect(manifest.layers.slice(0, upstream.length)).toMatchObject(upstream);
        expect(manifest.layers).toHaveLength(upstream.length + (platform === 'linux/amd64' ? 2 : 0));
      }
      expect(push.built.platforms.map(({ how }) => how)).toEqual(['built', 'labelled']);
      expect(await imagesOn(docker)).toEqual([]);

      const again = await planImages(
        [discovered(sides, 'harness/ci:1')],
        runConfig(sides, { buildPush: task.build, scan: false }),
        { source: sides.registry, target: sides.registry, evidence: sides.evidence },
        false,
        context().signal,
      );
      expect(again).toMatchObject([{ state: 'unchanged' }]);
    },
    MADE_WITHIN_MS,
  );
});
