import { certificateFault } from '../common/certificates.js';
import { FactoryError } from '../common/errors.js';
import { codeOf } from '../common/network.js';
import type { FailureType } from '../contract/failure.js';
import type { S3Settings } from './s3-settings.js';

/** What was tried, and with which object (`s3://bucket/key`), or with all under a prefix. */
export interface S3Attempt {
  action: 'read' | 'written' | 'listed';
  at: string;
}

/** What AWS's SDK throws, as far as we read it; anything in it may be missing. */
interface SdkError {
  name: string;
  status: number | undefined;
  /** The region that the bucket is in, where S3 tells. */
  bucketRegion: string | undefined;
  requestId: string | undefined;
  /** Of the system (`ECONNREFUSED`), of TLS, or of undici (`UND_ERR_ABORTED`). */
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
 * The failure for whatever AWS's SDK threw: `EvidenceRefused` where the server said no, `TransferCorrupt` for bytes that
 * are not those that were stored, `CertificateNotTrusted`, and `EvidenceUnavailable` for what may pass. The SDK's own
 * message and the error itself are left out: they can carry the string that was signed, key ids and URLs, and failures
 * end up in Temporal's history.
 */
export function s3Failure(
  error: unknown,
  { action, at: object }: S3Attempt,
  settings: S3Settings,
): FactoryError {
  const read = readSdkError(error);
  const request = read.requestId === undefined ? '' : `, request ${read.requestId}`;
  const said = (what: string, advice: string): string =>
    `The S3 bucket ${settings.bucket} can't be ${action}: ${what} (${read.code ?? read.name}${request}); ${advice}.`;
  if (read.name === 'ChecksumMismatch')
    return new FactoryError(
      'TransferCorrupt',
      said(`${object} is not what was written`, 'restore an older version of it, or delete it'),
    );
  const [host, check] = placeOf(settings);
  const untrusted = certificateFault(read.code ?? '');
  if (untrusted !== undefined)
    return new FactoryError(
      'CertificateNotTrusted',
      `The S3 bucket ${settings.bucket} can't be ${action}: ${host} could not be reached: ${untrusted}.`,
    );
  const refused = explainRefusal(read, host);
  const type: FailureType = refused === undefined ? 'EvidenceUnavailable' : 'EvidenceRefused';
  return new FactoryError(type, said(...(refused ?? explainTrouble(read, host, check))));
}

type Explained = [what: string, advice: string];

/** The server's host, and what to check when it does not answer. */
function placeOf({ endpoint }: S3Settings): [host: string, check: string] {
  return endpoint === null
    ? ['AWS', 'the network, HTTPS_PROXY and AWS_REGION']
    : [new URL(endpoint).host, 'AWS_ENDPOINT_URL_S3, HTTPS_PROXY and the network'];
}

/** What stays as it is until a person or AWS changes something; undefined for all else. */
function explainRefusal({ name, status, bucketRegion }: SdkError, host: string): Explained | undefined {
  if (name === 'NoSuchBucket')
    return [`${host} has no bucket of this name`, 'create it, or set S3_BUCKET to one that exists'];
  if (REGION.has(name) || bucketRegion !== undefined)
    return bucketRegion === undefined
      ? ['it is in another region', 'set AWS_REGION to the region of the bucket']
      : [`it is in the region ${bucketRegion}`, `set AWS_REGION to ${bucketRegion}`];
  if (name === 'RegionMissing') return ['its region is not known', 'set AWS_REGION'];
  if (name === 'CredentialsProviderError')
    return [
      'no AWS credentials were found',
      'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give the worker a role',
    ];
  if (CREDENTIALS.has(name))
    return [`${host} does not accept the AWS credentials`, 'check those that the worker has'];
  if (CLOCK.has(name)) return ['the clock of this machine is wrong', 'set it'];
  if (name.startsWith('KMS.'))
    return ['its KMS key can not be used', 'check S3_SERVER_SIDE_ENCRYPTION_KMS_KEY_ID'];
  if (DENIED.has(name) || status === 403)
    return [
      'the AWS credentials may not do that',
      'allow them s3:GetObject, s3:PutObject and s3:ListBucket there, and with KMS kms:GenerateDataKey and kms:Decrypt',
    ];
  if (status === 501)
    return [
      `${host} does not know something that we ask for`,
      'leave out S3_SERVER_SIDE_ENCRYPTION if it is set, or use another S3 server',
    ];
  return undefined;
}

/** What may be over by the next attempt. */
function explainTrouble({ name, status, code }: SdkError, host: string, check: string): Explained {
  if (code === 'UND_ERR_ABORTED')
    return [`the proxy lets nothing through to ${host}`, 'check HTTPS_PROXY and NO_PROXY'];
  if (name === 'TimeoutError' || code?.endsWith('_TIMEOUT') || code === 'ETIMEDOUT')
    return [`${host} did not answer in time`, `check ${check}`];
  if (code !== undefined) return [`${host} can't be reached`, `check ${check}`];
  if (status === 503 || status === 429 || name === 'SlowDown')
    return [`${host} is busy`, 'wait and try again'];
  if (status === undefined) return [`the answer of ${host} can't be used`, `check ${check}`];
  return [`${host} answered ${status}`, 'see what the server says of that code'];
}

const WORD = /^[\w.:/+=-]{1,128}$/;
const REGION_NAME = /^[a-z0-9-]{1,40}$/;

function readSdkError(error: unknown): SdkError {
  const name = word(at(error, 'name'), WORD) ?? 'no code';
  const headers = at(error, '$response', 'headers');
  const status = at(error, '$metadata', 'httpStatusCode');
  const code = word(codeOf(error), /^(?:E|UND_ERR_|CERT_|UNABLE_|DEPTH_|SELF_)[A-Z_]{2,60}$/);
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
