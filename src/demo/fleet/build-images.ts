import {
  ALPINE,
  alpine319,
  DEBIAN_12,
  debian11,
  debian12,
  debian13,
  install,
  nanoserver,
  PATH,
  program,
  step,
  ZLIB_11,
  ZLIB_12,
} from './bases.js';
import type { FleetName } from './default-config.js';
import type { ImageSpec } from './image.js';
import { type Architecture, alpine, debian, type Package } from './packages.js';

const MiB = 1 << 20;

const openssl = (version: string): Package[] => [
  { name: 'libcrypto3', source: 'openssl', version },
  { name: 'libssl3', source: 'openssl', version },
];

/** xz 5.6.0 carries CVE-2024-3094; here only the ARM build was made before it was withdrawn. */
const xz = (arch: Architecture): Package => ({
  name: 'xz-utils',
  version: arch === 'arm64' ? '5.6.0-0.2' : '5.8.1-1',
});

const zlibOnBullseye = install('/bin/sh -c apt-get install -y zlib1g', (arch) =>
  debian('11.11', [ZLIB_11], arch),
);
const opensslOnAlpine = install('/bin/sh -c apk add --no-cache openssl', (arch) =>
  alpine('3.19.8', [...ALPINE, ...openssl('3.1.4-r4')], arch),
);

/** What builds run: the addon and its engine, the clone, and the steps that build, push, upload and cache. */
export const BUILD_IMAGES = {
  'harness/ci-addon:1.16.92': {
    kind: 'oci',
    layers: [debian12, program('ci-addon', 2 * MiB)],
    config: {
      Env: [PATH, 'HARNESS_CI_ADDON=1'],
      Entrypoint: ['/usr/local/bin/ci-addon'],
      ExposedPorts: { '20001/tcp': {} },
      WorkingDir: '/addon',
    },
  },
  'harness/ci-lite-engine:1.16.92': {
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
  'harness/ci-addon:rootless-1.16.92': {
    kind: 'oci',
    layers: [debian12, program('ci-addon', 2 * MiB)],
    config: { User: '1000', Env: [PATH], Entrypoint: ['/usr/local/bin/ci-addon'], WorkingDir: '/addon' },
  },
  'harness/ci-lite-engine:rootless-1.16.92': {
    kind: 'oci',
    attestation: true,
    layers: [debian12, program('ci-lite-engine', 2 * MiB)],
    config: { User: '1000', Env: [PATH], Entrypoint: ['/usr/local/bin/ci-lite-engine'], Cmd: ['server'] },
  },
  'harness/drone-git:1.6.9-rootless': {
    kind: 'docker',
    layers: [alpine319, program('drone-git', 0.25 * MiB)],
    config: {
      User: '1000',
      Env: [PATH, 'HOME=/home/git'],
      Entrypoint: ['/usr/local/bin/drone-git'],
      WorkingDir: '/home/git',
    },
  },
  'plugins/kaniko:1.10.6': {
    kind: 'docker',
    layers: [debian11, zlibOnBullseye, program('kaniko')],
    config: {
      Env: [PATH, 'DOCKER_CONFIG=/kaniko/.docker'],
      Entrypoint: ['/usr/local/bin/kaniko'],
      Labels: { 'org.opencontainers.image.vendor': 'Drone Plugins' },
    },
  },
  'plugins/kaniko-ecr:1.11.0': step('docker', 'kaniko-ecr', debian12),
  'plugins/kaniko-acr:1.11.2': step('docker', 'kaniko-acr', debian12),
  'plugins/kaniko-gcr:1.10.1': step('docker', 'kaniko-gcr', debian11, zlibOnBullseye),
  'plugins/kaniko-gar:1.11.1': step('docker', 'kaniko-gar', debian12),
  'plugins/buildx:1.3.3': {
    kind: 'oci',
    layers: [
      debian12,
      install('RUN /bin/sh -c apt-get install -y zlib1g # buildkit', (arch) =>
        debian('12.12', [...DEBIAN_12, ZLIB_12], arch),
      ),
      program('buildx'),
    ],
    config: { Env: [PATH], Entrypoint: ['/usr/local/bin/buildx'], Cmd: ['--help'] },
  },
  'plugins/buildx-ecr:1.3.1': step('oci', 'buildx-ecr', alpine319),
  'plugins/buildx-gar:1.3.1': step('oci', 'buildx-gar', alpine319),
  'plugins/buildx-acr:1.3.1': step('oci', 'buildx-acr', alpine319, opensslOnAlpine),
  'plugins/gcs:1.6.3': {
    kind: 'docker',
    layers: [alpine319, opensslOnAlpine, program('gcs', 0.5 * MiB)],
    config: { Env: [PATH], Entrypoint: ['/usr/local/bin/gcs'] },
  },
  'plugins/s3:1.5.3': {
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
  'plugins/artifactory:1.7.6': {
    ...step('docker', 'artifactory', alpine319),
    windows: [nanoserver('10.0.17763.6189', 103_055_861), nanoserver('10.0.20348.2655', 122_478_404)],
  },
  'plugins/cache:1.9.8': {
    kind: 'docker',
    layers: [alpine319, program('cache')],
    config: { Env: [PATH], Entrypoint: ['/usr/local/bin/cache'] },
  },
  'harness/harness-cache-server:1.7.4': step('oci', 'harness-cache-server'),
} as const satisfies Partial<Record<FleetName, ImageSpec>>;
