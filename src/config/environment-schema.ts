import { z } from 'zod';
import { isEvidenceKey } from '../store/evidence-key.js';
import { S3_ENCRYPTIONS } from '../store/s3-settings.js';
import { normaliseHost, readRegistryPrefix } from './registry-prefix.js';
import { parseSecretReference } from './secret.js';

/** How a default is said in docs/configuration.md. */
const text = (description: string, fallback = '') =>
  z.string().max(4096, 'is longer than 4096 characters').optional().meta({ description, fallback });

/** Splits `a, b,c`; empty parts are dropped. */
export const splitList = (value: string): string[] =>
  value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

const list = (read: (part: string) => string | { fault: string }, description: string, fallback = '') =>
  z
    .string()
    .max(16_384, 'is longer than 16384 characters')
    .transform((value, context) =>
      splitList(value).flatMap((part, index) => {
        const item = read(part);
        if (typeof item === 'string') return [item];
        context.addIssue({ code: 'custom', message: `entry ${index + 1} ${item.fault}`, input: value });
        return [];
      }),
    )
    .optional()
    .meta({ description, fallback });

const prefix = (part: string): string | { fault: string } => {
  const read = readRegistryPrefix(part);
  return 'prefix' in read ? read.prefix : read;
};
const host = (part: string): string | { fault: string } =>
  normaliseHost(part) ?? { fault: 'is not host[:port]' };
const origin = (part: string): string | { fault: string } => {
  const bare = part.replace(/^https?:\/\//i, '').replace(/\/$/, '');
  const read = normaliseHost(bare);
  if (read === undefined) return { fault: 'is not host[:port], with http:// in front only for plain HTTP' };
  return /^http:/i.test(part) ? `http://${read}` : read;
};
const secretPattern = (part: string): string | { fault: string } =>
  parseSecretReference(part.replaceAll('*', 'x')) === undefined
    ? { fault: 'is not env:NAME or file:/absolute/path (with * for a part of a name)' }
    : part;
const variablePattern = (part: string): string | { fault: string } =>
  /^[A-Za-z_*][A-Za-z0-9_*]{0,127}$/.test(part)
    ? part
    : { fault: 'is not the name of a variable (with * for a part of it)' };
const flag = (description: string, fallback = '`false`') =>
  z.enum(['true', 'false', '1', '0'], 'must be true or false').optional().meta({ description, fallback });

function isOrigin(value: string): boolean {
  if (!/^https?:\/\//i.test(value) || !URL.canParse(value)) return false;
  const { username, password, pathname, search, hash } = new URL(value);
  return username === '' && password === '' && pathname === '/' && search === '' && hash === '';
}

/** Every variable of the worker that is not also a field of the run's input; absent and empty mean the same. */
export const environmentSchema = z.object({
  REGISTRY_USER: text(
    'User name at the target registry; never sent to another host.',
    'from `DOCKER_CONFIG`',
  ),
  REGISTRY_PASSWORD: text('Its password or token. A secret.', 'from `DOCKER_CONFIG`'),
  REGISTRY_PASSWORD_FILE: text('A file that holds it instead, such as a secret of Docker or Kubernetes.'),
  HARNESS_API_KEY: text('Harness API key, `pat.<account>.…`. A secret.'),
  HARNESS_ACCOUNT_ID: z
    .string()
    .regex(/^[\w-]{1,128}$/, 'must be an account id: letters, digits, _ and -')
    .optional()
    .meta({ description: 'The account, when the key does not carry it.', fallback: 'from the key' }),
  SOURCE_REGISTRY: list(
    prefix,
    'Where Harness’s images come from, best first: a list of `host[/prefix]`.',
    '`docker.io`',
  ),
  INSECURE_REGISTRIES: list(host, 'Registries that are asked over plain HTTP: a list of `host[:port]`.'),
  EXTRA_CA_FILE: text(
    'File of PEM certificates of your own authorities, trusted besides the usual ones by connections to registries, to Harness, to the S3 server and to ECR’s API.',
  ),
  DOCKER_CONFIG: text('Folder of the `config.json` with the credentials of registries.', '`~/.docker`'),
  AWS_ENDPOINT_URL_ECR: z
    .string()
    .max(300, 'is longer than 300 characters')
    .refine(isOrigin, 'must be http:// or https:// with a host, and no user, path or query')
    .optional()
    .meta({
      description:
        'Where the API of Amazon’s private registries (ECR) is, such as a VPC endpoint. With AWS credentials, repositories are made there and logins come from there.',
      fallback: 'AWS’s',
    }),
  REPORT_DIR: text(
    'Folder for reports and evidence, without `S3_BUCKET`; all workers share it.',
    '`./reports`',
  ),
  S3_BUCKET: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket')
    .optional()
    .meta({
      description:
        'Bucket for reports and evidence, instead of `REPORT_DIR`. Credentials are found as AWS’s tools find them (`AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, a profile, a role). They need `s3:GetObject`, `s3:PutObject` and `s3:ListBucket`.',
    }),
  S3_PREFIX: z
    .string()
    .max(512, 'is longer than 512 characters')
    .transform((value) => value.replace(/^\/+|\/+$/g, ''))
    .refine(isEvidenceKey, 'must be segments of letters, digits, ".", "_" and "-", joined by "/"')
    .optional()
    .meta({ description: 'What their keys begin with, as a folder: `image-factory/prod`.' }),
  AWS_REGION: z
    .string()
    .regex(/^[a-z0-9-]{1,40}$/, 'must be the name of a region')
    .optional()
    .meta({
      description: 'The region of the bucket.',
      fallback: 'the profile’s; `us-east-1` with `AWS_ENDPOINT_URL_S3`',
    }),
  AWS_ENDPOINT_URL_S3: z
    .string()
    .max(300, 'is longer than 300 characters')
    .refine(isOrigin, 'must be http:// or https:// with a host, and no user, path or query')
    .transform((value) => value.replace(/\/$/, ''))
    .optional()
    .meta({
      description:
        'An S3 server other than AWS’s (`https://host[:port]`). Snapshots of the account are written once, with `If-None-Match`; on a server that does not know it, two writers at the same moment are not kept apart.',
      fallback: 'AWS’s',
    }),
  S3_FORCE_PATH_STYLE: flag(
    'Name the bucket in the path, not in the host.',
    '`true` with `AWS_ENDPOINT_URL_S3`, else `false`',
  ),
  S3_SERVER_SIDE_ENCRYPTION: z
    .enum(S3_ENCRYPTIONS, `must be ${S3_ENCRYPTIONS.join(', ')}`)
    .optional()
    .meta({
      description: `How the server encrypts what it stores: ${S3_ENCRYPTIONS.map((name) => `\`${name}\``).join(', ')}. A server that does not confirm it is refused.`,
      fallback: 'as the bucket is set',
    }),
  S3_SERVER_SIDE_ENCRYPTION_KMS_KEY_ID: text(
    'Key id or ARN for `aws:kms` and `aws:kms:dsse`; with it, the credentials need `kms:GenerateDataKey` and `kms:Decrypt`.',
    'AWS’s own key',
  ),
  CONTENT_DIR: text(
    'Folder for manifests, what was built, and the layers that a scan, a build or a retry needs; kept between runs.',
    '`~/.cache/harness-ci-image-factory/content`',
  ),
  CONTENT_MAX_GB: z
    .string()
    .regex(/^\d{1,6}(\.\d{1,3})?$/, 'must be a number of gigabytes')
    .transform(Number)
    .refine((gigabytes) => gigabytes > 0, 'must be more than 0')
    .optional()
    .meta({
      description: 'How large that folder may grow, in gigabytes (10⁹ bytes).',
      fallback: '`20`',
    }),
  TEMPLATE_DIR: text(
    'Folder with `gather-scan/<name>.yaml`, `build-push/<name>.yaml`, and in `files/` what they name.',
    'built-ins only',
  ),
  TRIVY_PATH: text('The Trivy program.', '`trivy` on `PATH`'),
  TRIVY_CACHE_DIR: text('Where Trivy keeps its databases.', 'Trivy’s own'),
  TRIVY_DB_REPOSITORY: text('Where Trivy’s vulnerability database comes from.', 'Trivy’s own'),
  TRIVY_JAVA_DB_REPOSITORY: text('Where Trivy’s Java database comes from.', 'Trivy’s own'),
  TRIVY_SKIP_DB_UPDATE: flag('Use the vulnerability database that is in the cache.'),
  TRIVY_SKIP_JAVA_DB_UPDATE: flag('Use the Java database that is in the cache.'),
  TRIVY_OFFLINE_SCAN: flag('Let Trivy ask no one while it scans.'),
  ALLOWED_HARNESS_HOSTS: list(
    origin,
    'Hosts that the API key may be sent to: a list of `host[:port]` (`http://host` to allow plain HTTP).',
    '`app.harness.io`, and the host of the worker’s own `HARNESS_URL`',
  ),
  ALLOWED_REGISTRIES: list(
    prefix,
    'Where images may be pushed: a list of `host[:port][/prefix]`.',
    'the worker’s own `REGISTRY`; any when that is unset',
  ),
  ALLOWED_SECRETS: list(
    secretPattern,
    'Secrets that a run may name: a list of `env:NAME` and `file:/path`, `*` for any part of a name.',
    '`env:HARNESS_API_KEY`, the worker’s own `HARNESS_API_KEY_SECRET`, and `file:/run/secrets/*` unless `REGISTRY_PASSWORD_FILE` is there',
  ),
  ALLOWED_TEMPLATE_ENV: list(
    variablePattern,
    'Variables of this worker that templates may have in labels, annotations, build arguments, tags and arguments, as `${env.NAME}`: a list of names, `*` for any part of one. Their values end in Temporal’s history and in images; the worker’s own secrets are never given.',
    'none',
  ),
  ALLOWED_STEP_ENV: list(
    variablePattern,
    'Variables of this worker that templates may give to their programs (steps and scanners): a list of names, `*` for any part of one. Their values stay on the worker. Its own secrets are given only where they are named literally.',
    'none',
  ),
  DOCKER_HOST: text(
    'The Docker Engine of templates that build: `unix:///path` or `tcp://host:port`. It is asked for nothing else.',
    '`unix:///var/run/docker.sock`',
  ),
  DOCKER_TLS_VERIFY: text(
    'Anything here makes the connection to it TLS both ways, as Docker’s own client does.',
    'off',
  ),
  DOCKER_CERT_PATH: text('Folder of `ca.pem`, `cert.pem` and `key.pem` for that.', 'as `DOCKER_CONFIG`'),
  HEALTH_FILE: text(
    'A file that the worker writes every 10 s as long as it polls and Temporal answers: older than a minute means unhealthy.',
  ),
  TEMPORAL_TASK_QUEUE: text('Task queue of workers and runs.', '`image-factory`'),
});

/** Names that Trivy is given, and no others (design, decision 6). */
export const TRIVY_NAMES = [
  'TRIVY_CACHE_DIR',
  'TRIVY_DB_REPOSITORY',
  'TRIVY_JAVA_DB_REPOSITORY',
  'TRIVY_SKIP_DB_UPDATE',
  'TRIVY_SKIP_JAVA_DB_UPDATE',
  'TRIVY_OFFLINE_SCAN',
] as const;
