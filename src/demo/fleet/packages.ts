import type { TarEntry } from './tar.js';

/** `amd64` and `arm64`, as OCI and Debian call them. */
export const ARCHITECTURES = ['amd64', 'arm64'] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

/** An installed package, as the distribution's own database has it. */
export interface Package {
  name: string;
  version: string;
  /** The source package, where its name differs. */
  source?: string;
}

/** A Debian root's identity and package database. Trivy knows Debian by `etc/debian_version` alone. */
export function debian(
  release: string,
  packages: readonly Package[],
  architecture: Architecture,
): TarEntry[] {
  const major = release.split('.')[0] ?? release;
  const stanza = ({ name, version, source }: Package): string =>
    [
      `Package: ${name}`,
      'Status: install ok installed',
      'Priority: optional',
      'Section: libs',
      'Maintainer: Debian <debian-qa@lists.debian.org>',
      `Architecture: ${architecture}`,
      ...(source === undefined ? [] : [`Source: ${source}`]),
      `Version: ${version}`,
      `Description: ${name}`,
    ].join('\n');
  return [
    { path: 'etc/debian_version', content: `${release}\n` },
    {
      path: 'etc/os-release',
      content: `PRETTY_NAME="Debian GNU/Linux ${major}"\nNAME="Debian GNU/Linux"\nVERSION_ID="${major}"\nID=debian\n`,
    },
    { path: 'var/lib/dpkg/status', content: `${packages.map(stanza).join('\n\n')}\n` },
  ];
}

const APK_ARCHITECTURE: Record<Architecture, string> = { amd64: 'x86_64', arm64: 'aarch64' };

/** An Alpine root's identity and package database. */
export function alpine(
  release: string,
  packages: readonly Package[],
  architecture: Architecture,
): TarEntry[] {
  const minor = release.split('.').slice(0, 2).join('.');
  const record = ({ name, version, source }: Package): string =>
    [
      `P:${name}`,
      `V:${version}`,
      `A:${APK_ARCHITECTURE[architecture]}`,
      `o:${source ?? name}`,
      `T:${name}`,
      'L:MIT',
      '',
    ].join('\n');
  return [
    { path: 'etc/alpine-release', content: `${release}\n` },
    {
      path: 'etc/os-release',
      content: `NAME="Alpine Linux"\nID=alpine\nVERSION_ID=${release}\nPRETTY_NAME="Alpine Linux v${minor}"\n`,
    },
    {
      path: 'etc/apk/repositories',
      content: `https://dl-cdn.alpinelinux.org/alpine/v${minor}/main\n`,
    },
    { path: 'lib/apk/db/installed', content: `${packages.map(record).join('\n')}\n` },
  ];
}

/** What `npm install --omit=dev` leaves in a folder: each package with its own package.json. */
export function npm(folder: string, packages: readonly Package[]): TarEntry[] {
  return packages.map(({ name, version }) => ({
    path: `${folder}/node_modules/${name}/package.json`,
    content: `${JSON.stringify({ name, version, license: 'MIT', main: 'index.js' }, null, 2)}\n`,
  }));
}

/** What `pip install` leaves in a folder of Python's: each package with its metadata. */
export function pip(folder: string, packages: readonly Package[]): TarEntry[] {
  return packages.map(({ name, version }) => ({
    path: `${folder}/${name}-${version}.dist-info/METADATA`,
    content: `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\nLicense: MIT\n`,
  }));
}
