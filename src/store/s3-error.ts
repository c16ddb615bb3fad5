import { FactoryError } from '../common/errors.js';
import type { S3Settings } from './s3-settings.js';

export type S3Action = 'read' | 'written' | 'listed';

/** What AWS's SDK throws, as far as we read it; anything in it may be missing. */
interface SdkError {
  name: string;
  status: number | undefined;
  /** The region that the bucket is in, where S3 tells. */
  bucketRegion: string | undefined;
  requestId: string | undefined;
  /** Of the system: `ECONNREFUSED`. */
  code: string | undefined;
}

/** By S3's error code: which of a few things a person can mend. */
const CREDENTIALS = new Set([
  ...['InvalidAccessKeyId', 'SignatureDoesNotMatch', 'ExpiredToken', 'ExpiredTokenException', 'InvalidToken'],
  ...['TokenRefreshRequired', 'UnrecognizedClientException', 'InvalidClientTokenId'],
  'XAdminUserNotFound', // versitygw's word for the first
]);
const CLOCK = new Set(['RequestTimeTooSkewed', 'RequestExpired']);
const REGION = new Set([
  'PermanentRedirect',
  'AuthorizationHeaderMalformed',
  'IllegalLocationConstraintException',
]);
const DENIED = new Set(['AccessDenied', 'AllAccessDisabled', 'AccountProblem', 'Forbidden']);

/**
 * The `EvidenceUnavailable` for whatever AWS's SDK threw. Its own message and the error itself are left out: they can
 * carry the string that was signed, key ids and URLs, and failures end up in Temporal's history.
 */
export function s3Failure(error: unknown, action: S3Action, settings: S3Settings): FactoryError {
  const read = readSdkError(error);
  const [what, advice] = explain(read, settings);
  const request = read.requestId === undefined ? '' : `, request ${read.requestId}`;
  return new FactoryError(
    'EvidenceUnavailable',
    `The S3 bucket ${settings.bucket} can't be ${action}: ${what} (${read.code ?? read.name}${request}); ${advice}.`,
  );
}

function explain(error: SdkError, settings: S3Settings): [what: string, advice: string] {
  const { name, status, code } = error;
  const where = settings.endpoint === null ? 'AWS' : new URL(settings.endpoint).host;
  const check =
    settings.endpoint === null ? 'the network, and AWS_REGION' : 'AWS_ENDPOINT_URL_S3, and the network';
  if (name === 'NoSuchBucket')
    return [`${where} has no bucket of this name`, 'create it, or set S3_BUCKET to one that exists'];
  if (REGION.has(name) || error.bucketRegion !== undefined) {
    const region = error.bucketRegion;
    return region === undefined
      ? ['it is in another region', 'set AWS_REGION to the region of the bucket']
      : [`it is in the region ${region}`, `set AWS_REGION to ${region}`];
  }
  if (name === 'RegionMissing') return ['its region is not known', 'set AWS_REGION'];
  if (name === 'ChecksumMismatch')
    return ['an object is not what was written', 'look at what the server logs of it, and restore it'];
  if (name === 'CredentialsProviderError')
    return [
      'no AWS credentials were found',
      'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give the worker a role',
    ];
  if (CREDENTIALS.has(name))
    return [`${where} does not accept the AWS credentials`, 'check those that the worker has'];
  if (CLOCK.has(name)) return ['the clock of this machine is wrong', 'set it'];
  if (DENIED.has(name) || status === 403)
    return [
      'the AWS credentials may not do that',
      'allow them s3:GetObject, s3:PutObject and s3:ListBucket there, and with KMS kms:GenerateDataKey and kms:Decrypt',
    ];
  if (name.startsWith('KMS.'))
    return ['its KMS key can not be used', 'check S3_SERVER_SIDE_ENCRYPTION_KMS_KEY_ID'];
  if (code !== undefined) return [`${where} can't be reached`, `check ${check}`];
  if (name === 'TimeoutError') return [`${where} did not answer in time`, `check ${check}`];
  if (status === 503 || status === 429 || name === 'SlowDown')
    return [`${where} is busy`, 'wait and try again'];
  if (status === undefined) return [`the answer of ${where} can't be used`, `check ${check}`];
  return [`${where} answered ${status}`, 'see what the server says of that code'];
}

const WORD = /^[\w.:/+=-]{1,128}$/;
const REGION_NAME = /^[a-z0-9-]{1,40}$/;

function readSdkError(error: unknown): SdkError {
  const name = word(at(error, 'name'), WORD) ?? 'no code';
  const headers = at(error, '$response', 'headers');
  const status = at(error, '$metadata', 'httpStatusCode');
  const code = word(at(error, 'code'), /^E[A-Z_]{2,40}$|^(?:CERT|UNABLE|DEPTH|SELF)_[A-Z_]{2,60}$/);
  // Faults that the SDK itself finds have no name of their own.
  const said = error instanceof Error ? error.message : '';
  const own =
    said === 'Region is missing'
      ? 'RegionMissing'
      : said.startsWith('Checksum mismatch')
        ? 'ChecksumMismatch'
        : undefined;
  return {
    name: own ?? name,
    status: typeof status === 'number' ? status : undefined,
    // `x-amz-bucket-region` is in every answer about a bucket: it tells something only where the region is the fault.
    bucketRegion:
      status === 301 || REGION.has(name)
        ? (word(at(headers, 'x-amz-bucket-region'), REGION_NAME) ?? word(at(error, 'Region'), REGION_NAME))
        : undefined,
    requestId: word(at(error, '$metadata', 'requestId'), WORD),
    code,
  };
}

const word = (value: unknown, form: RegExp): string | undefined =>
  typeof value === 'string' && form.test(value) ? value : undefined;

/** What lies at a path of property names in something unknown. */
function at(value: unknown, ...path: string[]): unknown {
  return path.reduce<unknown>(
    (inner, name) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, name) : undefined),
    value,
  );
}
