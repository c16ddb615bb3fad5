import { type BuiltFleetImage, buildImage, type ImageSpec, type LayerSpec } from './image.js';
import { type Architecture, alpine, debian, npm, type Package } from './packages.js';

/**
 * What the default policy (fixable and CRITICAL) makes of an image: `blocked` has a finding that decides (a template
 * with `action: warn` only warns), `findings` has some that do not, `clean` none.
 */
export type FleetExpectation = 'clean' | 'findings' | 'blocked' | 'not-scannable';

export interface FleetImage extends BuiltFleetImage {
  repository: string;
  tag: string;
  /** The account's K8 fields that name it. */
  fields: string[];
  expected: FleetExpectation;
}

const MiB = 1 << 20;

const DEBIAN_12: Package[] = [
  { name: 'base-files', version: '12.4+deb12u12' },
  { name: 'libc6', source: 'glibc', version: '2.36-9+deb12u13' },
  { name: 'libssl3', source: 'openssl', version: '3.0.17-1~deb12u3' },
  { name: 'ca-certificates', version: '20230311+deb12u1' },
];
const ALPINE: Package[] = [
  { name: 'musl', version: '1.2.4_git20230717-r5' },
  { name: 'busybox', version: '1.36.1-r20' },
  { name: 'apk-tools', version: '2.14.4-r0' },
];
const openssl = (version: string): Package[] => [
  { name: 'libcrypto3', source: 'openssl', version },
  { name: 'libssl3', source: 'openssl', version },
];

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const base = (name: string, entries: LayerSpec['entries'], bytes: number): LayerSpec => ({
  createdBy: `/bin/sh -c #(nop) ADD file:${name} in /`,
  entries,
  payload: { path: `usr/lib/${name}.so`, bytes },
});

// Shared by several images, as upstream's are: each is fetched and pushed once.
const debian12 = base('bookworm', (arch) => debian('12.12', DEBIAN_12, arch), 1.5 * MiB);
const debian11 = base(
  'bullseye',
  (arch) => debian('11.11', [{ name: 'libc6', source: 'glibc', version: '2.31-13+deb11u13' }], arch),
  MiB,
);
const debian13 = base(
  'trixie',
  (arch) => debian('13.1', [{ name: 'libc6', source: 'glibc', version: '2.41-12' }], arch),
  MiB,
);
const alpine319 = base('alpine', (arch) => alpine('3.19.8', ALPINE, arch), 0.5 * MiB);

const program = (name: string, bytes: number = 0.75 * MiB): LayerSpec => ({
  createdBy: `COPY /out/${name} /usr/local/bin/${name} # buildkit`,
  entries: () => [{ path: `etc/${name}/config.yaml`, content: `name: ${name}\n` }],
  payload: { path: `usr/local/bin/${name}`, bytes },
});

/** A package manager's run: it writes its whole database again, in a layer of its own. */
const install = (createdBy: string, entries: LayerSpec['entries']): LayerSpec => ({ createdBy, entries });

/** xz 5.6.0 carries CVE-2024-3094; here only the ARM build was made before it was withdrawn. */
const xz = (arch: Architecture): Package => ({
  name: 'xz-utils',
  version: arch === 'arm64' ? '5.6.0-0.2' : '5.8.1-1',
});

interface FleetSpec extends ImageSpec {
  name: string;
  fields: string[];
  expected: FleetExpectation;
}

const SPECS: FleetSpec[] = [
  {
    name: 'harness/ci-addon:1.16.92',
    fields: ['addonTag'],
    expected: 'clean',
    kind: 'oci',
    layers: [debian12, program('ci-addon', 2 * MiB)],
    config: {
      Env: [PATH, 'HARNESS_CI_ADDON=1'],
      Entrypoint: ['/usr/local/bin/ci-addon'],
      ExposedPorts: { '20001/tcp': {} },
      WorkingDir: '/addon',
    },
  },
  {
    name: 'harness/ci-lite-engine:1.16.92',
    fields: ['liteEngineTag'],
    expected: 'clean',
    kind: 'oci',
    attestation: true,
    layers: [debian12, program('ci-lite-engine', 2 * MiB)],
    config: {
      Env: [PATH],
      Entrypoint: ['/usr/local/bin/ci-lite-engine'],
      Cmd: ['server'],
      ExposedPorts: { '20001/tcp': {}, '20002/tcp': {} },
      // StartInterval (Docker 25) is a field that typed tools drop; a number and no string, in nanoseconds.
      Healthcheck: {
        Test: ['CMD', '/usr/local/bin/ci-lite-engine', 'ping'],
        Interval: 10_000_000_000,
        StartInterval: 1_000_000_000,
        Retries: 3,
      },
    },
  },
  {
    name: 'harness/drone-git:1.6.9-rootless',
    fields: ['gitCloneTag'],
    expected: 'clean',
    kind: 'docker',
    layers: [alpine319, program('drone-git', 0.25 * MiB)],
    config: {
      User: '1000',
      Env: [PATH, 'HOME=/home/git'],
      Entrypoint: ['/usr/local/bin/drone-git'],
      WorkingDir: '/home/git',
    },
  },
  {
    name: 'plugins/kaniko:1.10.6',
    fields: ['buildAndPushDockerRegistryTag'],
    expected: 'blocked',
    kind: 'docker',
    layers: [
      debian11,
      install('/bin/sh -c apt-get install -y zlib1g', (arch) =>
        debian('11.11', [{ name: 'zlib1g', source: 'zlib', version: '1:1.2.11.dfsg-2' }], arch),
      ),
      program('kaniko'),
    ],
    config: {
      Env: [PATH, 'DOCKER_CONFIG=/kaniko/.docker'],
      Entrypoint: ['/usr/local/bin/kaniko'],
      Labels: { 'org.opencontainers.image.vendor': 'Drone Plugins' },
    },
  },
  {
    name: 'plugins/buildx:1.3.3',
    fields: ['buildAndPushBuildxDockerRegistryTag'],
    expected: 'findings', // CRITICAL, but Debian will not fix it
    kind: 'oci',
    layers: [
      debian12,
      install('RUN /bin/sh -c apt-get install -y zlib1g # buildkit', (arch) =>
        debian('12.12', [...DEBIAN_12, { name: 'zlib1g', source: 'zlib', version: '1:1.2.13.dfsg-1' }], arch),
      ),
      program('buildx'),
    ],
    config: { Env: [PATH], Entrypoint: ['/usr/local/bin/buildx'], Cmd: ['--help'] },
  },
  {
    name: 'plugins/cache:1.9.8',
    fields: ['cacheGCSTag', 'cacheS3Tag'],
    expected: 'clean',
    kind: 'docker',
    layers: [alpine319, program('cache')],
    config: { Env: [PATH], Entrypoint: ['/usr/local/bin/cache'] },
  },
  {
    name: 'plugins/s3:1.5.3',
    fields: ['s3UploadTag'],
    expected: 'blocked',
    kind: 'oci',
    layers: [
      debian13,
      install('RUN /bin/sh -c apt-get install -y xz-utils # buildkit', (arch) =>
        debian('13.1', [{ name: 'libc6', source: 'glibc', version: '2.41-12' }, xz(arch)], arch),
      ),
      program('s3', 0.5 * MiB),
    ],
    config: { Env: [PATH], Entrypoint: ['/usr/local/bin/s3'], User: '65532:65532' },
  },
  {
    name: 'plugins/gcs:1.6.3',
    fields: ['gcsUploadTag'],
    expected: 'findings', // one MEDIUM
    kind: 'docker',
    layers: [
      alpine319,
      install('/bin/sh -c apk add --no-cache openssl', (arch) =>
        alpine('3.19.8', [...ALPINE, ...openssl('3.1.4-r4')], arch),
      ),
      program('gcs', 0.5 * MiB),
    ],
    config: { Env: [PATH], Entrypoint: ['/usr/local/bin/gcs'] },
  },
  {
    name: 'harness/sto-plugin:latest',
    fields: ['securityTag'],
    expected: 'not-scannable', // one static program, no package database
    kind: 'oci',
    layers: [program('sto-plugin', MiB)],
    config: { Env: [PATH], Entrypoint: ['/usr/local/bin/sto-plugin'] },
  },
  {
    name: 'harness/ssca-plugin:0.39.0',
    fields: ['sscaOrchestrationTag', 'sscaEnforcementTag'],
    expected: 'clean',
    kind: 'oci',
    layers: [
      debian12,
      install('COPY /app /app # buildkit', () =>
        npm('app', [
          { name: 'lodash', version: '4.17.21' },
          { name: 'yaml', version: '2.5.1' },
        ]),
      ),
      program('ssca', 0.5 * MiB),
    ],
    config: { Env: [PATH], Entrypoint: ['/usr/local/bin/ssca'], Cmd: ['orchestrate'], WorkingDir: '/app' },
  },
];

/** Ten two-platform images under the names of Harness's own, about 25 MB in all; the same bytes at every call. */
export function demoFleet(): FleetImage[] {
  return SPECS.map(({ name, fields, expected, ...spec }) => {
    const [repository = name, tag = 'latest'] = name.split(':');
    return { repository, tag, fields, expected, ...buildImage(spec) };
  });
}
