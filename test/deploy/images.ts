import { execFileSync } from 'node:child_process';
import { copyFile, cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { debianRoot } from '../../src/demo/fleet/debian-root.js';
import { ensureTools } from '../../src/demo/tools.js';
import type { DockerEngine } from '../support/docker-engine.js';
import { compose, ROOT } from './compose.js';

/** The image of the worker as docker-compose.yml names it. */
export const WORKER_IMAGE = 'harness-ci-image-factory:local';

/** Files of docker-compose.yml as the tests run it. */
export const STACK = [`${ROOT}docker-compose.yml`, `${ROOT}test/deploy/stack.yaml`];

/** What {@link STACK} asks for: the Dockerfile's arguments where no hub and no GitHub can be reached, and programs. */
export async function stackVariables(): Promise<Record<string, string>> {
  const tools = await ensureTools(['temporal', 'registry', 'versitygw']);
  return {
    BASE_IMAGE: 'image-factory.test/base',
    TRIVY_IMAGE: 'image-factory.test/trivy',
    TEMPORAL: tools.temporal.path,
    REGISTRY_PROGRAM: tools.registry.path,
    VERSITYGW: tools.versitygw.path,
    BUSYBOX,
  };
}

/** Debian's busybox-static: the applets that Alpine's images have, for their health checks. */
const BUSYBOX = '/bin/busybox';
const CERTIFICATES = 'etc/ssl/certs/ca-certificates.crt';

/** Makes what stands in for published images, and from it the worker's image, on an engine. */
export async function buildImages(engine: DockerEngine): Promise<void> {
  const debian = await debianRoot();
  if (debian === undefined)
    throw new Error('no Debian base: it needs root, debootstrap (apt-get install debootstrap) and a mirror');
  const directory = await mkdtemp(join(tmpdir(), 'image-factory-base-'));
  try {
    await engine.importImage('image-factory.test/debian', debian.bytes);
    await engine.importImage(
      'image-factory.test/base',
      await nodeLayer(join(directory, 'base'), debian.bytes),
      `ENV NODE_EXTRA_CA_CERTS=/${CERTIFICATES}`,
    );
    await engine.importImage('image-factory.test/trivy', await trivyLayer(join(directory, 'trivy')));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  await compose(['build', 'worker'], { files: STACK, engine, env: await stackVariables() });
}

/** Debian with this Node.js and its npm, which trusts what this machine trusts: its way to the package registry may differ. */
async function nodeLayer(root: string, debian: Uint8Array): Promise<Buffer> {
  await mkdir(root);
  execFileSync('tar', ['-xzf', '-', '-C', root], { input: debian });
  const npm = execFileSync('npm', ['root', '--global'], { encoding: 'utf8' }).trim();
  await copyFile(process.execPath, join(root, 'usr/local/bin/node'));
  await mkdir(join(root, 'usr/local/lib/node_modules'), { recursive: true });
  await cp(join(npm, 'npm'), join(root, 'usr/local/lib/node_modules/npm'), { recursive: true });
  await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'));
  await mkdir(join(root, 'etc/ssl/certs'), { recursive: true });
  await copyFile(`/${CERTIFICATES}`, join(root, CERTIFICATES));
  return layerOf(root);
}

async function trivyLayer(root: string): Promise<Buffer> {
  const { trivy } = await ensureTools(['trivy']);
  await mkdir(join(root, 'usr/local/bin'), { recursive: true });
  await copyFile(trivy.path, join(root, 'usr/local/bin/trivy'));
  return layerOf(root);
}

const layerOf = (root: string): Buffer =>
  execFileSync('tar', ['-c', '-C', root, '.'], { maxBuffer: 2 ** 30 });
