import { firstImage, readAccount } from './account.js';
import { checkContent, checkReports } from './disk.js';
import { checkEngine } from './engine.js';
import { type CheckResult, type Finding, failure, notChecked } from './finding.js';
import { checkConnector, checkHarness } from './harness.js';
import { CHECK_LIMIT_MS, withLimit } from './limit.js';
import { checkPush, checkSource } from './registries.js';
import { checkDatabase, checkTrivy } from './scanner.js';
import { checkSchedules } from './schedule.js';
import { readSituation } from './situation.js';
import { checkTemporal } from './temporal.js';

/** What the check of the environment is called: its fault is the user's, the others' are the world's. */
export const ENVIRONMENT = 'environment';

interface Check {
  check: string;
  /** Variables without which it would look at something other than the worker does, or send a secret elsewhere. */
  needs: readonly string[];
  run: (signal: AbortSignal) => Promise<Finding>;
  /** Its time begins when this has settled. */
  after?: Promise<unknown>;
}

const REGISTRY_VARIABLES = ['INSECURE_REGISTRIES', 'DOCKER_CONFIG', 'EXTRA_CA_FILE', 'AWS_ENDPOINT_URL_ECR'];
const HARNESS_VARIABLES = [
  'HARNESS_API_KEY',
  'HARNESS_ACCOUNT_ID',
  'ALLOWED_HARNESS_HOSTS',
  'ALLOWED_SECRETS',
  'TEMPLATE_DIR',
];
const DOCKER_VARIABLES = ['DOCKER_HOST', 'DOCKER_TLS_VERIFY', 'DOCKER_CERT_PATH'];
const TRIVY_VARIABLES = ['TRIVY_PATH', 'TRIVY_CACHE_DIR'];
const REPORT_VARIABLES = [
  'REPORT_DIR',
  'S3_BUCKET',
  'S3_PREFIX',
  'S3_FORCE_PATH_STYLE',
  'S3_SERVER_SIDE_ENCRYPTION',
  'S3_SERVER_SIDE_ENCRYPTION_KMS_KEY_ID',
  'AWS_REGION',
  'AWS_ENDPOINT_URL_S3',
  'EXTRA_CA_FILE',
];
const DATABASE_VARIABLES = [
  'TRIVY_CACHE_DIR',
  'TRIVY_DB_REPOSITORY',
  'TRIVY_JAVA_DB_REPOSITORY',
  'TRIVY_SKIP_DB_UPDATE',
  'TRIVY_SKIP_JAVA_DB_UPDATE',
];

/**
 * Checks all that a run needs, from this machine and with this environment, side by side. Nothing is changed: what it
 * writes is an upload that is abandoned and one small file beside the reports.
 *
 * @param flags input fields that win over the environment: `registry`, `registryConnector`, `harnessUrl`
 * @returns in a fixed order, with no secret in it
 */
export async function examine(
  flags: Readonly<Record<string, unknown>>,
  env: NodeJS.ProcessEnv,
  limitMs: number = CHECK_LIMIT_MS,
): Promise<CheckResult[]> {
  const situation = await readSituation(flags, env);
  const { environment, input, faulty, verdict, buildPush } = situation;
  const blocked = HARNESS_VARIABLES.some((name) => faulty.has(name));
  const account = blocked
    ? Promise.reject(new Error('not asked'))
    : withLimit((signal) => readAccount(situation, signal), limitMs);
  const known = account.catch(() => undefined);
  const image = known
    .then((reading) => firstImage(reading ?? { configs: [] }, situation))
    .catch(() => undefined); // names that nobody can read have their place in a plan
  const sources = faulty.has('SOURCE_REGISTRY') ? [''] : environment.sourceRegistries;
  const checks: Check[] = [
    { check: 'Temporal', needs: ['TEMPORAL_TASK_QUEUE'], run: () => checkTemporal(env) },
    { check: 'schedule', needs: ['TEMPORAL_TASK_QUEUE'], run: () => checkSchedules(env) },
    { check: 'Harness', needs: HARNESS_VARIABLES, run: () => checkHarness(account), after: known },
    ...(input.registryConnector === undefined
      ? []
      : [
          {
            check: 'connector',
            needs: [...HARNESS_VARIABLES, 'ALLOWED_REGISTRIES'],
            run: async (signal: AbortSignal) =>
              checkConnector((await known)?.client, await image, situation, signal),
            after: image,
          },
        ]),
    ...sources.map((prefix) => ({
      check: prefix === '' ? 'source' : `source ${prefix}`,
      needs: [...REGISTRY_VARIABLES, 'SOURCE_REGISTRY'],
      run: async (signal: AbortSignal) => checkSource(prefix, await image, situation, signal),
      after: image,
    })),
    {
      check: 'push',
      needs: [...REGISTRY_VARIABLES, 'REGISTRY_USER', 'REGISTRY_PASSWORD', 'ALLOWED_REGISTRIES'],
      run: async (signal) => checkPush(await image, situation, signal),
      after: image,
    },
    ...(input.scan === false
      ? []
      : [
          {
            check: 'Trivy',
            needs: TRIVY_VARIABLES,
            run: (signal: AbortSignal) => checkTrivy(situation, signal),
          },
          {
            check: 'vulnerability database',
            needs: [...DATABASE_VARIABLES, ...REGISTRY_VARIABLES],
            run: (signal: AbortSignal) => checkDatabase(situation, signal),
          },
        ]),
    ...(environment.docker.host === null && buildPush?.engine !== 'buildkit'
      ? []
      : [
          {
            check: 'Docker Engine',
            needs: DOCKER_VARIABLES,
            run: (signal: AbortSignal) => checkEngine(situation, signal),
          },
        ]),
    { check: 'content', needs: ['CONTENT_DIR'], run: () => checkContent(situation) },
    { check: 'reports', needs: REPORT_VARIABLES, run: (signal) => checkReports(situation, signal) },
  ];
  const results = checks.map(async ({ check, needs, run, after }): Promise<CheckResult> => {
    const wrong = needs.filter((name) => faulty.has(name));
    if (wrong.length > 0) return { check, ...notChecked(`${wrong.join(' and ')} can't be used`) };
    await after;
    const finding = await withLimit(run, limitMs).catch((error: unknown) =>
      failure(error, 'check the network from here to it, and try again'),
    );
    return { check, ...finding };
  });
  return [{ check: ENVIRONMENT, ...verdict }, ...(await Promise.all(results))];
}
