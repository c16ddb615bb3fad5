import { onTestFinished } from 'vitest';
import { sampleFleet } from '../../src/demo/fleet/fleet.js';
import { publishFleet, publishVulnerabilityDb } from '../../src/demo/fleet/publish.js';
import type { HarnessSimulator, SimulatorOptions } from '../../src/demo/harness-simulator/index.js';
import { examine } from '../../src/doctor/examine.js';
import type { CheckResult } from '../../src/doctor/finding.js';
import { RegistryClient } from '../../src/registry/client.js';
import { anonymous } from '../../src/registry/credentials.js';
import { temporaryDirectory } from '../support/directory.js';
import { KEY, simulate } from '../support/harness.js';
import { startRegistry, TEST_LOGIN } from '../support/registry-server.js';

export const IMAGE = 'harness/ci-addon';
export const HOUR_MS = 3_600_000;

export interface WorldOptions {
  harness?: Partial<SimulatorOptions>;
  /** How old the published databases are. */
  databaseAgeMs?: number;
}

/** All that a run needs but Temporal: a source with one image, a target with a login, an account, databases. */
export async function openWorld(options: WorldOptions = {}) {
  const fleet = sampleFleet().filter(({ repository }) => repository === IMAGE);
  const directory = await temporaryDirectory();
  const [source, target] = await Promise.all([startRegistry(), startRegistry({ htpasswd: true })]);
  onTestFinished(async () => {
    await Promise.all([source.stop(), target.stop()]);
  });
  const registry = new RegistryClient({ credentials: anonymous, insecureHosts: [] });
  await publishFleet(registry, source.host, fleet);
  const databases = await publishVulnerabilityDb(registry, source.host, {
    updatedAt: new Date(Date.now() - (options.databaseAgeMs ?? 0)).toISOString(),
  });
  await registry.close();
  const fields = fleet.flatMap((image) =>
    image.fields.map((field) => [field, `${image.repository}:${image.tag}`] as const),
  );
  const harness: HarnessSimulator = await simulate({
    defaults: { K8: Object.fromEntries(fields) },
    connectors: [{ identifier: 'harnessImage', dockerRegistryUrl: `http://${target.host}` }],
    ...options.harness,
  });
  const env: Record<string, string> = {
    PATH: process.env.PATH ?? '',
    HOME: directory,
    REGISTRY: `${target.host}/ci`,
    REGISTRY_USER: TEST_LOGIN.user,
    REGISTRY_PASSWORD: TEST_LOGIN.password,
    REGISTRY_CONNECTOR: 'account.harnessImage',
    SOURCE_REGISTRY: source.host,
    HARNESS_API_KEY: KEY,
    HARNESS_URL: harness.url,
    REPORT_DIR: `${directory}/reports`,
    CONTENT_DIR: `${directory}/content`,
    TRIVY_CACHE_DIR: `${directory}/trivy`,
    TRIVY_DB_REPOSITORY: databases.dbRepository,
    TRIVY_JAVA_DB_REPOSITORY: databases.javaDbRepository,
  };
  return { directory, source, target, harness, env, image: `${IMAGE}:${fleet[0]?.tag}` };
}

/** Runs the doctor; the result of each check by its name. */
export async function doctor(
  env: Record<string, string>,
  flags: Record<string, unknown> = {},
  limitMs?: number,
): Promise<{ of: (check: string) => CheckResult; results: CheckResult[] }> {
  const results = await examine(flags, env, limitMs);
  return {
    results,
    of: (check) => {
      const result = results.find((one) => one.check === check);
      if (result === undefined) throw new Error(`no check ${check} among ${JSON.stringify(results)}`);
      return result;
    },
  };
}
