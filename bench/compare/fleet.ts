import { createCipheriv, createHash } from 'node:crypto';
import { buildImage, type LayerSpec } from '../../src/demo/fleet/image.js';
import { debian } from '../../src/demo/fleet/packages.js';
import { publishFleet } from '../../src/demo/fleet/publish.js';
import type { RegistryClient } from '../../src/registry/client.js';

const MIB = 2 ** 20;

/** The fleet: 20 two-platform images, a base that all share, and two layers of each platform's own. */
export const IMAGES = Array.from(
  { length: 20 },
  (_, number) => `bench/app-${String(number).padStart(2, '0')}`,
);

/** What Trivy finds to scan in each. The small database of the demo knows some of them. */
const PACKAGES = [
  { name: 'base-files', version: '12.4+deb12u12' },
  { name: 'libc6', source: 'glibc', version: '2.36-9+deb12u13' },
  { name: 'libssl3', source: 'openssl', version: '3.0.17-1~deb12u3' },
  { name: 'zlib1g', source: 'zlib', version: '1:1.2.13.dfsg-1' },
];

/** A cipher's key stream: nothing compresses it, and it is the same at every call. */
export function incompressible(seed: string, bytes: number): Buffer {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

const baseContent = incompressible('base', 16 * MIB);

/** The same bytes on every platform, as files that don't depend on it are. */
const base: LayerSpec = {
  createdBy: '/bin/sh -c #(nop) ADD file:bookworm in /',
  entries: () => [...debian('12.12', PACKAGES, 'amd64'), { path: 'usr/lib/base.bin', content: baseContent }],
};

/**
 * Real layers (tar and gzip) that runtimes can unpack and Trivy can read.
 *
 * @param version other versions have another second layer.
 */
export function benchImage(repository: string, version = 1) {
  const own = (name: string): LayerSpec => ({
    createdBy: `COPY ${name} /opt/${name} # buildkit`,
    entries: () => [],
    payload: { path: `opt/${repository}/${name}`, bytes: 8 * MIB },
  });
  const image = buildImage({
    kind: 'oci',
    layers: [base, own('runtime'), own(`program-${version}`)],
    config: { Entrypoint: ['/opt/program'], Env: ['PATH=/usr/bin:/bin'] },
  });
  return { repository, tag: '1', ...image };
}

/** Publishes the fleet. @returns the bytes of its distinct blobs: configs and layers. */
export async function publishBenchFleet(registry: RegistryClient, host: string): Promise<number> {
  const sizes = new Map<string, number>();
  for (const repository of IMAGES) {
    const image = benchImage(repository); // one at a time: each holds 100 MB
    await publishFleet(registry, host, [image]);
    for (const { descriptor } of image.blobs) sizes.set(descriptor.digest, descriptor.size);
  }
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}
