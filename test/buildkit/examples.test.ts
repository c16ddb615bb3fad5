import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { loadBuildPush } from '../../src/config/templates.js';
import type { Reference } from '../../src/contract/brand.js';
import { debianRoot } from '../../src/demo/fleet/debian-root.js';
import { BLOB_TYPE } from '../../src/registry/manifest.js';
import { buildTask, crane, mirror, publish } from '../mirror/side.js';
import { type DockerEngine, startDockerEngine } from '../support/docker-engine.js';
import { blobOf, imageOf, indexOf, LINUX_AMD64, LINUX_ARM64, type TestImage } from '../support/images.js';
import { settingsOf } from '../support/template-settings.js';
import { openBuilds, pushTask } from './world.js';

const EXAMPLES = fileURLToPath(new URL('../../templates/examples', import.meta.url));
// The first time a Debian system is made as well.
const MADE_WITHIN_MS = 600_000;

let docker: DockerEngine;
let debian: TestImage;
beforeAll(async () => {
  docker = await startDockerEngine();
  const root = await debianRoot({ packages: ['ca-certificates', 'openssl'] });
  if (root === undefined)
    throw new Error('no Debian: it needs root, debootstrap (apt-get install debootstrap) and a mirror');
  const layer = { ...blobOf(BLOB_TYPE.ociLayer, root.bytes), diffId: root.diffId };
  const run = { Env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: ['/bin/true'], User: '1000:1000' };
  debian = indexOf([
    imageOf({ platform: LINUX_AMD64, layers: [layer], run }),
    imageOf({ platform: LINUX_ARM64, run }),
  ]);
}, MADE_WITHIN_MS);
afterAll(() => docker?.stop());

const idSchema = z.object({ Id: z.string() });
const endSchema = z.object({ StatusCode: z.number() });

/** Whether a line of shell is true in the image, as whom it runs. */
async function isTrue(reference: Reference, line: string): Promise<boolean> {
  const { Id } = idSchema.parse(
    await docker.ask('POST', '/containers/create', {
      Image: reference,
      Entrypoint: ['/bin/sh', '-c'],
      Cmd: [line],
      HostConfig: { NetworkMode: 'host' },
    }),
  );
  await docker.ask('POST', `/containers/${Id}/start`);
  const { StatusCode } = endSchema.parse(await docker.ask('POST', `/containers/${Id}/wait`));
  await docker.ask('DELETE', `/containers/${Id}`);
  return StatusCode === 0;
}

/** Resolves an example as a worker does, builds a Debian image with it, pushes it, and pulls it again. */
async function madeBy(name: string) {
  const sides = await openBuilds(docker);
  const loaded = await loadBuildPush(name, settingsOf(EXAMPLES), undefined);
  if (!loaded.ok) throw new Error(loaded.faults.join('\n'));
  for (const [key, bytes] of loaded.captured) await sides.evidence.put(key, bytes);
  const image = 'harness/ci-debian:1';
  await publish(sides.registry, sides.sourceReference(image), debian);
  const task = buildTask(sides, image, debian.top.descriptor.digest, loaded.value);
  const push = await pushTask(sides, { ...task, runId: `examples-${process.pid}-${name}` });
  await mirror(sides, push);
  await docker.pull(push.target);
  const { config } = JSON.parse(await crane('config', push.target, '--platform', 'linux/amd64'));
  return { push, config, target: push.target };
}

describe('the examples, on a Debian image', () => {
  it(
    'corporate-ca makes it trust the authority, as the user that it had, and copies what can’t be built',
    async () => {
      const { push, config, target } = await madeBy('corporate-ca');
      expect(push.built.platforms.map(({ how }) => how)).toEqual(['built', 'labelled']);
      expect(config).toMatchObject({
        User: '1000:1000',
        Cmd: ['/bin/true'],
        Labels: { 'com.example.corporate-ca': 'installed' },
      });
      const ca = '/usr/local/share/ca-certificates/corporate-ca.crt';
      expect(
        await isTrue(
          target,
          `openssl verify ${ca} && test "$NODE_EXTRA_CA_CERTS" = ${ca} && test "$(id -u)" = 1000`,
        ),
      ).toBe(true);
    },
    MADE_WITHIN_MS,
  );

  it(
    'apt-mirror-and-proxy has apt and others use them, and leaves no Debian host behind',
    async () => {
      const { config, target } = await madeBy('apt-mirror-and-proxy');
      expect(config.User).toBe('1000:1000');
      const lists = '/etc/apt/sources.list /etc/apt/sources.list.d';
      for (const line of [
        `grep -rq 'http://apt-mirror.example.com/debian' ${lists}`,
        `! grep -rq 'debian.org' ${lists}`,
        'apt-config dump | grep -qx \'Acquire::http::Proxy "http://proxy.example.com:3128";\'',
        // apt itself reads its lists so.
        'mkdir -p /tmp/lists/partial && apt-get -o Dir::State::Lists=/tmp/lists -o Debug::NoLocking=1 update --print-uris | grep -q "^.http://apt-mirror.example.com/debian/dists/bookworm/InRelease"',
        'test "$HTTPS_PROXY" = http://proxy.example.com:3128',
      ])
        expect(await isTrue(target, line), line).toBe(true);
    },
    MADE_WITHIN_MS,
  );
});
