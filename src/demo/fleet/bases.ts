import { digestOf } from '../../registry/digest.js';
import type { ImageSpec } from './image.js';
import type { LayerSpec } from './layer.js';
import { alpine, debian, type Package } from './packages.js';
import type { WindowsSpec } from './platform.js';

const KiB = 1 << 10;
const MiB = 1 << 20;

export const DEBIAN_12: readonly Package[] = [
  { name: 'base-files', version: '12.4+deb12u12' },
  { name: 'libc6', source: 'glibc', version: '2.36-9+deb12u13' },
  { name: 'libssl3', source: 'openssl', version: '3.0.17-1~deb12u3' },
  { name: 'ca-certificates', version: '20230311+deb12u1' },
];
/** CRITICAL, but Debian will not fix it. */
export const ZLIB_12: Package = { name: 'zlib1g', source: 'zlib', version: '1:1.2.13.dfsg-1' };
/** CRITICAL, and fixed in 1:1.2.11.dfsg-2+deb11u2. */
export const ZLIB_11: Package = { name: 'zlib1g', source: 'zlib', version: '1:1.2.11.dfsg-2' };

export const ALPINE: readonly Package[] = [
  { name: 'musl', version: '1.2.4_git20230717-r5' },
  { name: 'busybox', version: '1.36.1-r20' },
  { name: 'apk-tools', version: '2.14.4-r0' },
];

export const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const base = (name: string, entries: LayerSpec['entries'], bytes: number): LayerSpec => ({
  createdBy: `/bin/sh -c #(nop) ADD file:${name} in /`,
  entries,
  payload: { path: `usr/lib/${name}.so`, bytes },
});

// Shared by several images, as upstream's are: each is fetched and pushed once.
export const debian12 = base('bookworm', (arch) => debian('12.12', DEBIAN_12, arch), 1.5 * MiB);
export const debian11 = base(
  'bullseye',
  (arch) => debian('11.11', [{ name: 'libc6', source: 'glibc', version: '2.31-13+deb11u13' }], arch),
  MiB,
);
export const debian13 = base(
  'trixie',
  (arch) => debian('13.1', [{ name: 'libc6', source: 'glibc', version: '2.41-12' }], arch),
  MiB,
);
export const alpine319 = base('alpine', (arch) => alpine('3.19.8', ALPINE, arch), 0.5 * MiB);

/** Debian as debootstrap makes it, where that can run: this layer then has real bytes (`debian-root.ts`). */
export const debootstrapped: LayerSpec = {
  createdBy: 'debootstrap --variant=minbase bookworm',
  entries: (arch) => debian('12.12', [...DEBIAN_12, ZLIB_12], arch),
  payload: { path: 'usr/lib/minbase.so', bytes: MiB },
};

/** The layer with an image's own program. */
export const program = (name: string, bytes: number = 0.75 * MiB): LayerSpec => ({
  createdBy: `COPY /out/${name} /usr/local/bin/${name} # buildkit`,
  entries: () => [{ path: `etc/${name}/config.yaml`, content: `name: ${name}\n` }],
  payload: { path: `usr/local/bin/${name}`, bytes },
});

/** A package manager's run: it writes its whole database again, in a layer of its own. */
export const install = (createdBy: string, entries: LayerSpec['entries']): LayerSpec => ({
  createdBy,
  entries,
});

/** An image as most are: a base, what is installed on it, and one program. */
export const step = (kind: ImageSpec['kind'], name: string, ...below: LayerSpec[]): ImageSpec => ({
  kind,
  layers: [...below, program(name, 256 * KiB)],
  config: { Env: [PATH], Entrypoint: [`/usr/local/bin/${name}`] },
});

/** Windows Nano Server of one version, described as Microsoft's registry does. Nobody fetches it. */
export const nanoserver = (version: string, bytes: number): WindowsSpec => {
  const digest = digestOf(Buffer.from(`nanoserver ${version}`));
  return {
    version,
    base: {
      diffId: digestOf(Buffer.from(`nanoserver ${version}, not compressed`)),
      digest,
      size: bytes,
      url: `https://mcr.microsoft.com/v2/windows/nanoserver/blobs/${digest}`,
    },
  };
};
