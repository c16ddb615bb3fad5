import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import type { Reference } from '../../src/contract/brand.js';
import { debianRoot } from '../../src/demo/fleet/debian-root.js';
import { labelsFor } from '../../src/engines/labels.js';
import { planImages } from '../../src/mirror/plan.js';
import { BLOB_TYPE } from '../../src/registry/manifest.js';
import { context, crane, discovered, mirror, runConfig } from '../mirror/side.js';
import { type DockerEngine, startDockerEngine } from '../support/docker-engine.js';
import { blobOf, imageOf, indexOf, LINUX_AMD64, LINUX_ARM64, type TestImage } from '../support/images.js';
import { createAuthority } from '../support/tls.js';
import { builtPlatform, imagesOn, openBuilds, pushTask, taskOf } from './world.js';

// The first time a Debian system is made as well.
const MADE_WITHIN_MS = 600_000;

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

let docker: DockerEngine;
let image: TestImage;
beforeAll(async () => {
  docker = await startDockerEngine();
  image = await debianImage();
}, MADE_WITHIN_MS);
afterAll(() => docker?.stop());

/** A CI image on Debian: OpenSSL is its program, and it does not run as root. */
async function debianImage(): Promise<TestImage> {
  const root = await debianRoot({ packages: ['ca-certificates', 'openssl'] });
  if (root === undefined)
    throw new Error('no Debian: it needs root, debootstrap (apt-get install debootstrap) and a mirror');
  const layer = { ...blobOf(BLOB_TYPE.ociLayer, root.bytes), diffId: root.diffId };
  const run = { Env: [PATH], Entrypoint: ['/usr/bin/openssl'], Cmd: ['version'], User: '1000:1000' };
  return indexOf([
    imageOf({ platform: LINUX_AMD64, layers: [layer], run }),
    imageOf({ platform: LINUX_ARM64, run }),
  ]);
}

/** A server that the company's own authority vouches for, as the company's registry or proxy is. */
async function corporateServer() {
  const authority = await createAuthority('Example Corporation root');
  const { certificate, key } = await authority.issue({ names: ['127.0.0.1'] });
  const server = createServer({ cert: certificate, key }, (_request, response) => response.end('hello'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo; // listening on TCP: no path
  return { certificate: authority.certificate, port };
}

const idSchema = z.object({ Id: z.string() });
const endSchema = z.object({ StatusCode: z.number() });

/** Pulls an image by its tag, as any user of it does, and runs it. @returns its exit code */
async function run(reference: Reference, args: string[] = []): Promise<number> {
  await docker.pull(reference);
  const { Id } = idSchema.parse(
    await docker.ask('POST', '/containers/create', {
      Image: reference,
      ...(args.length === 0 ? {} : { Cmd: args }),
      HostConfig: { NetworkMode: 'host' },
    }),
  );
  await docker.ask('POST', `/containers/${Id}/start`);
  const { StatusCode } = endSchema.parse(await docker.ask('POST', `/containers/${Id}/wait`));
  await docker.ask('DELETE', `/containers/${Id}`);
  await docker.ask('DELETE', `/images/${reference}`);
  return StatusCode;
}

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

      const asks = ['s_client', '-connect', `127.0.0.1:${port}`, '-verify_return_error', '-brief'];
      expect(await run(task.source, asks)).not.toBe(0);
      expect(await run(task.target, asks)).toBe(0);
      expect(await run(task.target)).toBe(0);

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
