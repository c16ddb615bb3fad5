import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { z } from 'zod';
import { FactoryError } from '../common/errors.js';
import { DEFAULT_TASK_QUEUE } from '../contract/names.js';
import type { DockerSettings } from '../engines/buildkit/settings.js';
import type { S3Settings } from '../store/s3-settings.js';
import { pairFaults } from './environment-pairs.js';
import { environmentSchema, TRIVY_NAMES } from './environment-schema.js';
import { INPUT_FIELDS, type InputField, inputVariable } from './input-fields.js';
import {
  isAllowedSecret,
  parseSecretReference,
  Secret,
  type SecretSource,
  secretFromFile,
} from './secret.js';
import { type TemplateSettings, templateSettings } from './template-settings.js';

/** The worker's own settings, read once at its start. Printing it shows no secret. */
export interface WorkerEnvironment extends SecretSource, TemplateSettings {
  /** For the target registry only. */
  registryCredentials: { user: string; password: Secret } | null;
  harnessApiKey: Secret | null;
  harnessAccountId: string | null;
  /** `host[:port][/prefix]`, best first. */
  sourceRegistries: string[];
  /** `host[:port]`, asked over plain HTTP. */
  insecureRegistries: string[];
  /** PEM certificates to trust besides the usual ones. */
  extraCaFile: string | null;
  /** Null: AWS's own. */
  ecrEndpoint: string | null;
  /** Folder of docker's `config.json`. */
  dockerConfigDir: string;
  /** The Docker Engine that builds; it is not asked before a build needs it. */
  docker: DockerSettings;
  reportDir: string;
  /** Where reports go instead of `reportDir`; null: there. */
  s3: S3Settings | null;
  contentDir: string;
  contentMaxBytes: number;
  /** The program, and exactly the variables that it may see. */
  trivy: { program: string; environment: Record<string, string> };
  /** Null when unset: the defaults of `AllowLists` count. */
  allowedHarnessHosts: string[] | null;
  allowedRegistries: string[] | null;
  taskQueue: string;
  /** Written while the worker is healthy; null: nowhere. */
  healthFile: string | null;
  /** Every secret of this worker's own, to be kept out of what others print. Made when asked for: never printed. */
  ownSecrets(): string[];
  /** What a credential helper of docker's may see: all of it, but our own secrets. Made when asked for: never printed. */
  helperEnvironment(): Record<string, string>;
  /** What the environment says where the run's input is silent, by input field, still as text. */
  inputDefaults: Partial<Record<InputField, string>>;
}

const GIGABYTE = 1e9;
const DEFAULT_CONTENT_GB = 20;

/**
 * Reads the worker's environment. Empty variables count as unset; folders become absolute.
 *
 * @throws FactoryError `InvalidInput` that names every faulty variable, and shows no value.
 */
export function loadEnvironment(env: NodeJS.ProcessEnv): WorkerEnvironment {
  const given = Object.fromEntries(
    Object.keys(environmentSchema.shape).flatMap((name) => {
      const value = env[name]?.trim();
      return value === undefined || value === '' ? [] : [[name, value]];
    }),
  );
  const read = environmentSchema.safeParse(given);
  const faults = read.success
    ? []
    : read.error.issues.map((issue) => `${String(issue.path[0])} ${issue.message}`);
  faults.push(...pairFaults({ ...given, REGISTRY: env.REGISTRY?.trim() }).map(({ fault }) => fault));
  if (!read.success || faults.length > 0)
    throw new FactoryError('InvalidInput', `the worker's environment is not usable: ${faults.join('; ')}`);
  const value = read.data;

  const secret = (text: string | undefined): Secret | null => (text === undefined ? null : new Secret(text));
  const passwordFile = value.REGISTRY_PASSWORD_FILE && resolve(value.REGISTRY_PASSWORD_FILE);
  const password = passwordFile
    ? secretFromFile(passwordFile, 'REGISTRY_PASSWORD_FILE')
    : secret(value.REGISTRY_PASSWORD);
  const inputDefaults: WorkerEnvironment['inputDefaults'] = {};
  for (const field of INPUT_FIELDS) {
    const text = env[inputVariable(field)]?.trim();
    if (text !== undefined && text !== '') inputDefaults[field] = text;
  }
  const ownSecret = inputDefaults.harnessApiKeySecret;
  // The password of the registry is no default: it must not go to Harness as if it were a key.
  const allowedSecrets = value.ALLOWED_SECRETS ?? [
    'env:HARNESS_API_KEY',
    ...(passwordFile && dirname(passwordFile) === '/run/secrets' ? [] : ['file:/run/secrets/*']),
    ...(ownSecret === undefined || parseSecretReference(ownSecret) === undefined ? [] : [ownSecret]),
  ];
  const home = env.HOME ?? homedir();
  const dockerConfigDir = resolve(value.DOCKER_CONFIG ?? join(home, '.docker'));
  return {
    registryCredentials:
      value.REGISTRY_USER === undefined || password === null ? null : { user: value.REGISTRY_USER, password },
    harnessApiKey: secret(value.HARNESS_API_KEY),
    harnessAccountId: value.HARNESS_ACCOUNT_ID ?? null,
    sourceRegistries: value.SOURCE_REGISTRY ?? ['docker.io'],
    insecureRegistries: value.INSECURE_REGISTRIES ?? [],
    extraCaFile: value.EXTRA_CA_FILE === undefined ? null : resolve(value.EXTRA_CA_FILE),
    ecrEndpoint: value.AWS_ENDPOINT_URL_ECR ?? null,
    dockerConfigDir,
    docker: {
      host: value.DOCKER_HOST ?? null,
      tls: value.DOCKER_TLS_VERIFY !== undefined,
      certPath: resolve(value.DOCKER_CERT_PATH ?? dockerConfigDir),
    },
    reportDir: resolve(value.REPORT_DIR ?? 'reports'),
    s3: s3Of(value),
    contentDir: resolve(
      value.CONTENT_DIR ??
        join(env.XDG_CACHE_HOME || join(home, '.cache'), 'harness-ci-image-factory', 'content'),
    ),
    contentMaxBytes: (value.CONTENT_MAX_GB ?? DEFAULT_CONTENT_GB) * GIGABYTE,
    templateDir: value.TEMPLATE_DIR === undefined ? null : resolve(value.TEMPLATE_DIR),
    trivy: {
      program: value.TRIVY_PATH ?? 'trivy',
      environment: Object.fromEntries(
        TRIVY_NAMES.flatMap((name) => (value[name] === undefined ? [] : [[name, value[name]]])),
      ),
    },
    allowedHarnessHosts: value.ALLOWED_HARNESS_HOSTS ?? null,
    allowedRegistries: value.ALLOWED_REGISTRIES ?? null,
    allowedSecrets,
    ...templateSettings({
      allowedTemplateEnv: value.ALLOWED_TEMPLATE_ENV ?? [],
      allowedStepEnv: value.ALLOWED_STEP_ENV ?? [],
      isSecret: (name) => isAllowedSecret(`env:${name}`, allowedSecrets),
      variable: (name) => env[name],
    }),
    variable: (name) => {
      const text = env[name];
      return text === undefined ? undefined : new Secret(text);
    },
    ownSecrets: () => [
      ...(password === null ? [] : [password.reveal()]),
      ...Object.entries(env).flatMap(([name, text = '']) =>
        SECRET_VALUE.test(name) || (!NO_SECRET.has(name) && isAllowedSecret(`env:${name}`, allowedSecrets))
          ? [text]
          : [],
      ),
    ],
    helperEnvironment: () => withoutOwnSecrets(env, allowedSecrets),
    taskQueue: value.TEMPORAL_TASK_QUEUE ?? DEFAULT_TASK_QUEUE,
    healthFile: value.HEALTH_FILE === undefined ? null : resolve(value.HEALTH_FILE),
    inputDefaults,
  };
}

/** Ours whatever a run may name. Temporal's client also reads keys and headers (`TEMPORAL_GRPC_META_*`) from variables. */
const OWN_SECRET = /^(?:HARNESS_API_KEY|REGISTRY_PASSWORD|TEMPORAL_.*)$/;
/** Names whose values are secret. Of Temporal's, the others are an address and a namespace, which are common words. */
const SECRET_VALUE =
  /^(?:HARNESS_API_KEY|REGISTRY_PASSWORD|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|TEMPORAL_(?:API_KEY|GRPC_META_.*|CODEC_AUTH|TLS_CLIENT_KEY_DATA))$/;
/** No secrets, though `env:*` names them: without them no helper is found, or finds its own settings. */
const NO_SECRET = new Set(['PATH', 'HOME']);

/** What a run may name is ours. The clouds' own variables stay otherwise, secret or not: they are why helpers work. */
function withoutOwnSecrets(
  env: NodeJS.ProcessEnv,
  allowedSecrets: readonly string[],
): Record<string, string> {
  const isOurs = (name: string): boolean =>
    OWN_SECRET.test(name) || (!NO_SECRET.has(name) && isAllowedSecret(`env:${name}`, allowedSecrets));
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      value === undefined || isOurs(name) ? [] : [[name, value]],
    ),
  );
}

function s3Of(value: z.output<typeof environmentSchema>): S3Settings | null {
  if (value.S3_BUCKET === undefined) return null;
  const endpoint = value.AWS_ENDPOINT_URL_S3 ?? null;
  const { S3_FORCE_PATH_STYLE: pathStyle, S3_SERVER_SIDE_ENCRYPTION: algorithm } = value;
  return {
    bucket: value.S3_BUCKET,
    prefix: value.S3_PREFIX ?? '',
    region: value.AWS_REGION ?? null,
    endpoint,
    // Buckets as host names need DNS that servers of one's own seldom have.
    pathStyle: pathStyle === undefined ? endpoint !== null : pathStyle === 'true' || pathStyle === '1',
    encryption:
      algorithm === undefined
        ? null
        : { algorithm, kmsKeyId: value.S3_SERVER_SIDE_ENCRYPTION_KMS_KEY_ID ?? null },
  };
}
