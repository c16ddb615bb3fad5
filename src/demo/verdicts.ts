import type { OutcomeKind } from '../contract/outcome.js';
import type { FleetName } from './fleet/default-config.js';
import type { FleetExpectation, FleetImage } from './fleet/fleet.js';

/** What each image of the fleet was made for; its packages are in `fleet/`, the advisories beside them. */
export const EXPECTED: Record<FleetName, FleetExpectation> = {
  'harness/ci-addon:1.16.92': 'clean',
  'harness/ci-lite-engine:1.16.92': 'clean',
  'harness/ci-addon:rootless-1.16.92': 'clean',
  'harness/ci-lite-engine:rootless-1.16.92': 'clean',
  'harness/drone-git:1.6.9-rootless': 'clean',
  'plugins/kaniko:1.10.6': 'blocked',
  'plugins/kaniko-ecr:1.11.0': 'clean',
  'plugins/kaniko-acr:1.11.2': 'clean',
  'plugins/kaniko-gcr:1.10.1': 'blocked',
  'plugins/kaniko-gar:1.11.1': 'clean',
  'plugins/buildx:1.3.3': 'findings', // CRITICAL, but Debian will not fix it
  'plugins/buildx-ecr:1.3.1': 'clean',
  'plugins/buildx-gar:1.3.1': 'clean',
  'plugins/buildx-acr:1.3.1': 'findings', // one MEDIUM
  'plugins/gcs:1.6.3': 'findings', // one MEDIUM
  'plugins/s3:1.5.3': 'blocked', // on ARM alone
  'plugins/artifactory:1.7.6': 'not-scannable', // its Windows entries
  'plugins/cache:1.9.8': 'clean',
  'harness/harness-cache-server:1.7.4': 'not-scannable', // one static program, no package database
  'harness/sto-plugin:latest': 'not-scannable', // likewise
  'harness/ssca-plugin:0.39.0': 'clean',
  'harness/ssca-artifact-signing-plugin:0.39.0': 'clean',
  'harness/ssca-cdxgen-plugin:0.39.0': 'findings', // CRITICAL, but Debian will not fix it
  'harness/slsa-plugin:0.39.0': 'clean',
  'harness/ssca-compliance-plugin:0.39.0': 'findings', // one HIGH (npm)
  'plugins/harness_terraform:dev': 'clean',
  'plugins/harness_checkov:dev': 'findings', // one HIGH (Python)
  'plugins/harness_tf_compliance:dev': 'findings', // one HIGH (Debian)
  'plugins/harness_tf_lint:dev': 'clean',
  'plugins/harness_tf_sec:dev': 'blocked',
  'harness/cookiecutter:latest': 'clean',
  'harness/createrepo:latest': 'clean',
  'harness/directpush:latest': 'clean',
  'harness/registercatalog:latest': 'clean',
  'harness/createcatalog:latest': 'clean',
  'harness/slacknotify:latest': 'clean',
  'harness/createorganisation:latest': 'clean',
  'harness/createproject:latest': 'clean',
  'harness/createresource:latest': 'clean',
  'harness/updatecatalogproperty:latest': 'clean',
};

/** How an image of the fleet may end, by what is in it; the demo's template blocks. */
const GOOD: Record<FleetExpectation, readonly OutcomeKind[]> = {
  clean: ['mirrored', 'unchanged'],
  findings: ['mirrored', 'unchanged'],
  'not-scannable': ['mirrored', 'unchanged'],
  blocked: ['blocked'],
};

/** What ended otherwise than the fleet was made to end; empty when the factory did its job. */
export function surprises(
  fleet: readonly Pick<FleetImage, 'repository' | 'tag' | 'expected'>[],
  ended: readonly { image: string; kind: OutcomeKind }[],
): string[] {
  const kinds = new Map(ended.map(({ image, kind }) => [image, kind]));
  return fleet.flatMap((image) => {
    const name = `${image.repository}:${image.tag}`;
    const kind = kinds.get(name);
    if (kind !== undefined && GOOD[image.expected].includes(kind)) return [];
    return [`${name} was ${kind ?? 'not there'}, expected ${GOOD[image.expected].join(' or ')}`];
  });
}
