import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import type { Reference } from '../../src/contract/brand.js';
import { debianRoot } from '../../src/demo/fleet/debian-root.js';
import { BLOB_TYPE } from '../../src/registry/manifest.js';
import type { DockerEngine } from '../support/docker-engine.js';
import { blobOf, imageOf, indexOf, LINUX_AMD64, LINUX_ARM64, type TestImage } from '../support/images.js';
import { createAuthority } from '../support/tls.js';

export const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Asks a server of {@link corporateServer} for its certificate: an image's own OpenSSL ends with 0 when it trusts it. */
export const asksFor = (port: number): string[] => [
  ...['s_client', '-connect', `127.0.0.1:${port}`, '-verify_return_error', '-brief'],
];

/** A CI image on Debian: OpenSSL is its program. @param user it runs as */
export async function debianImage(user: string): Promise<TestImage> {
  const root = await debianRoot({ packages: ['ca-certificates', 'openssl'] });
  if (root === undefined)
    throw new Error('no Debian: it needs root, debootstrap (apt-get install debootstrap) and a mirror');
  const layer = { ...blobOf(BLOB_TYPE.ociLayer, root.bytes), diffId: root.diffId };
  const run = { Env: [PATH], Entrypoint: ['/usr/bin/openssl'], Cmd: ['version'], User: user };
  return indexOf([
    imageOf({ platform: LINUX_AMD64, layers: [layer], run }),
    imageOf({ platform: LINUX_ARM64, run }),
  ]);
}

/** A server that the company's own authority vouches for, as the company's registry or proxy is. */
export async function corporateServer() {
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
export async function runImage(
  docker: DockerEngine,
  reference: Reference,
  args: string[] = [],
): Promise<number> {
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
