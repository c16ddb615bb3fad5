import {
  alpine319,
  debian11,
  debian12,
  debian13,
  debootstrapped,
  install,
  PATH,
  program,
  step,
  ZLIB_11,
} from './bases.js';
import type { FleetName } from './default-config.js';
import type { ImageSpec } from './image.js';
import { debian, npm, pip } from './packages.js';

const MiB = 1 << 20;

const copyApp = (version: string) =>
  install('COPY /app /app # buildkit', () =>
    npm('app', [
      { name: 'lodash', version },
      { name: 'yaml', version: '2.5.1' },
    ]),
  );
const setuptools = (version: string) =>
  install('RUN /bin/sh -c pip install setuptools # buildkit', () =>
    pip('usr/local/lib/python3.12/site-packages', [{ name: 'setuptools', version }]),
  );
/** HIGH, and fixed in 2.36-9+deb12u3. */
const oldGlibc = install('RUN /bin/sh -c apt-get install -y libc6 # buildkit', (arch) =>
  debian('12.1', [{ name: 'libc6', source: 'glibc', version: '2.36-9+deb12u1' }], arch),
);
const zlibOnBullseye = install('RUN /bin/sh -c apt-get install -y zlib1g # buildkit', (arch) =>
  debian('11.11', [ZLIB_11], arch),
);

/** What else the account runs: security, supply chain, infrastructure as code, and the developer portal. */
export const OTHER_IMAGES = {
  'harness/sto-plugin:latest': {
    kind: 'oci',
    layers: [program('sto-plugin', MiB)],
    config: { Env: [PATH], Entrypoint: ['/usr/local/bin/sto-plugin'] },
  },
  'harness/ssca-plugin:0.39.0': {
    kind: 'oci',
    layers: [debian12, copyApp('4.17.21'), program('ssca', 0.5 * MiB)],
    config: { Env: [PATH], Entrypoint: ['/usr/local/bin/ssca'], Cmd: ['orchestrate'], WorkingDir: '/app' },
  },
  'harness/ssca-artifact-signing-plugin:0.39.0': step('oci', 'ssca-artifact-signing', debian12),
  'harness/ssca-cdxgen-plugin:0.39.0': step('oci', 'ssca-cdxgen', debootstrapped),
  'harness/slsa-plugin:0.39.0': step('oci', 'slsa', debian12),
  'harness/ssca-compliance-plugin:0.39.0': step('oci', 'ssca-compliance', debian12, copyApp('4.17.20')),
  'plugins/harness_terraform:dev': step('docker', 'harness_terraform', alpine319),
  'plugins/harness_checkov:dev': step('oci', 'harness_checkov', debian12, setuptools('69.0.2')),
  'plugins/harness_tf_compliance:dev': step('docker', 'harness_tf_compliance', debian12, oldGlibc),
  'plugins/harness_tf_lint:dev': step('docker', 'harness_tf_lint', alpine319),
  'plugins/harness_tf_sec:dev': step('docker', 'harness_tf_sec', debian11, zlibOnBullseye),
  'harness/cookiecutter:latest': step('oci', 'cookiecutter', debian13, setuptools('75.1.0')),
  'harness/createrepo:latest': step('oci', 'createrepo', alpine319),
  'harness/directpush:latest': step('oci', 'directpush', alpine319),
  'harness/registercatalog:latest': step('oci', 'registercatalog', alpine319),
  'harness/createcatalog:latest': step('oci', 'createcatalog', alpine319),
  'harness/slacknotify:latest': step('oci', 'slacknotify', debian13),
  'harness/createorganisation:latest': step('oci', 'createorganisation', alpine319),
  'harness/createproject:latest': step('oci', 'createproject', alpine319),
  'harness/createresource:latest': step('oci', 'createresource', alpine319),
  'harness/updatecatalogproperty:latest': step('oci', 'updatecatalogproperty', alpine319),
} as const satisfies Partial<Record<FleetName, ImageSpec>>;
