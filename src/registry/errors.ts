import { z } from 'zod';
import { certificateFault } from '../common/certificates.js';
import { FactoryError } from '../common/errors.js';
import { codeOf } from '../common/network.js';
import type { FailureType } from '../contract/failure.js';

/** A registry's own answer, classified. */
export class RegistryError extends FactoryError {
  /** The protocol's error code (distribution-spec, "Error Codes"), if the answer had one. */
  readonly code: string | undefined;
  readonly status: number;
  /** The blobs that the registry says it lacks, where it says which. */
  readonly lacks: readonly string[];

  constructor(
    type: FailureType,
    message: string,
    answer: {
      code?: string | undefined;
      status: number;
      retryAfterMs?: number | undefined;
      lacks?: readonly string[];
    },
  ) {
    super(
      type,
      message,
      answer.retryAfterMs === undefined ? undefined : { retryAfterMs: answer.retryAfterMs },
    );
    this.code = answer.code;
    this.status = answer.status;
    this.lacks = answer.lacks ?? [];
  }
}

/**
 * Whether a manifest was refused because the registry lacks something that it names. Distribution 2.8 also says so
 * when another mount of the same blob is under way: look at the blobs again, then put again (design, decision 5).
 */
export const isBlobUnknown = (error: unknown): error is RegistryError =>
  error instanceof RegistryError && error.code === 'MANIFEST_BLOB_UNKNOWN';

/** What was asked, in words for a message. */
export interface Asked {
  host: string;
  /** `host/path:tag`, or `blob sha256:… of host/path`. */
  what: string;
  action: 'pull' | 'push';
}

/** An answer that is no success, read. */
export interface AnswerText {
  status: number;
  body: string;
  /** The bare media type. */
  contentType: string;
  retryAfter?: string | undefined;
}

const BY_CODE: ReadonlyMap<string, FailureType> = new Map<string, FailureType>([
  ['UNAUTHORIZED', 'RegistryUnauthorized'],
  ['DENIED', 'RegistryDenied'],
  ['NAME_UNKNOWN', 'ImageNotFound'],
  ['MANIFEST_UNKNOWN', 'ImageNotFound'],
  ['BLOB_UNKNOWN', 'ImageNotFound'],
  ['TOOMANYREQUESTS', 'RegistryRateLimited'],
  ['DIGEST_INVALID', 'TransferCorrupt'],
  ['SIZE_INVALID', 'TransferCorrupt'],
  // A session that timed out or was cleaned away: a new attempt opens a new one.
  ['BLOB_UPLOAD_UNKNOWN', 'RegistryUnavailable'],
  ['BLOB_UPLOAD_INVALID', 'RegistryUnavailable'],
  ['MANIFEST_BLOB_UNKNOWN', 'RegistryRejected'],
  ['MANIFEST_INVALID', 'RegistryRejected'],
  ['MANIFEST_UNVERIFIED', 'RegistryRejected'],
  ['NAME_INVALID', 'RegistryRejected'],
  ['TAG_INVALID', 'RegistryRejected'],
  ['UNSUPPORTED', 'RegistryRejected'],
]);

/** Distribution's words for descriptors with `urls`; it has no code for them and answers 500 or MANIFEST_INVALID. */
const FOREIGN = /(?:missing|invalid|unexpected) URLs? on layer/i;

/**
 * A tag that can't be put again has no code of its own: ECR says TAG_INVALID, Harbor PRECONDITION, Artifact Registry and
 * Docker Hub DENIED, Azure "disallowed" of an image that is locked, Nexus "does not allow updating assets".
 */
const IMMUTABLE =
  /\b(?:is|are|as) immutable\b|\btag immutability\b|\bimmutable tags?\b|does not allow updating assets|disallowed on this registry, repository or image/i;

const errorSchema = z.object({
  code: z.string(),
  message: z.string().optional().catch(undefined),
  // Distribution names a blob that it lacks by its digest alone; the specification leaves the form open.
  detail: z.string().optional().catch(undefined),
});
const errorsSchema = z.object({ errors: z.array(errorSchema).min(1) });

const parseErrors = (body: string): z.infer<typeof errorsSchema>['errors'] => {
  try {
    return errorsSchema.parse(JSON.parse(body)).errors;
  } catch {
    return []; // not the protocol's form: the status decides
  }
};

/** Another's message in printable characters, as long as it was, without what could be a secret in it. */
export const withoutSecrets = (text: string): string =>
  text
    .replace(/[^\x20-\x7e]+/g, ' ')
    .replace(/\b(Basic|Bearer)\s+\S+/gi, '$1 …')
    .replace(/(https?:\/\/)[^\s/@]*@/gi, '$1')
    .replace(/(https?:\/\/[^\s?"']*)\?[^\s"']*/gi, '$1');

/** The same, of its first 200 characters. */
export const scrub = (text: string): string => withoutSecrets(text).slice(0, 200);

const isWebPage = (body: string, contentType: string): boolean =>
  contentType === 'text/html' || /^\s*<(?:!doctype html|html|head|body)/i.test(body);

function typeOfStatus(status: number, webPage: boolean): FailureType {
  if (status === 401) return 'RegistryUnauthorized';
  if (status === 429) return 'RegistryRateLimited';
  if (status >= 500 || status === 408 || status === 425) return 'RegistryUnavailable';
  if (webPage || status < 300) return 'RegistryBadAnswer';
  if (status === 403) return 'RegistryDenied';
  if (status === 404) return 'ImageNotFound';
  return 'RegistryRejected';
}

/** How long a hint may make us wait: Docker Hub counts pulls over 6 hours, a run should not wait that long unseen. */
const MAX_RETRY_AFTER_MS = 60 * 60 * 1000;

/** `Retry-After` (RFC 9110, 10.2.3), seconds or a date, in milliseconds from `now`; undefined when it says nothing. */
export function parseRetryAfter(value: string | undefined, now: number = Date.now()): number | undefined {
  const text = value?.trim() ?? '';
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}

const foreignSentence = (host: string, what: string): string =>
  `${host} refuses ${what} because it has foreign (Windows) layers: allow their URLs in the registry (distribution: validation.manifests.urls.allow), or leave Windows out with the platforms setting`;

/** For a registry that looks for a foreign layer's bytes, as distribution 2.8 does with a URL that it does not allow. */
export const foreignLayersRefused = (host: string, reference: string): FactoryError =>
  new FactoryError('ForeignLayersRefused', foreignSentence(host, reference));

const keptTag = (host: string, what: string): string =>
  `${host} does not let ${what} be put again, because the tag is immutable or locked there: let the repository replace tags, or remove the tag`;

/** For a tag that holds something else and can't be put again, known before it was tried. */
export const tagImmutable = (host: string, reference: string): FactoryError =>
  new FactoryError('TagImmutable', keptTag(host, reference));

function sentence(type: FailureType, status: number, { host, what, action }: Asked): string {
  switch (type) {
    case 'RegistryUnauthorized':
      return `${host} did not accept our credentials for ${what} (or it does not exist): log in to ${host} with docker login or a credential helper, or set REGISTRY_USER and REGISTRY_PASSWORD if it is the target`;
    case 'RegistryDenied':
      return `${host} does not let this user ${action} ${what}: ask for the right to ${action}`;
    case 'ImageNotFound':
      return action === 'pull'
        ? `${host} has no ${what}`
        : `${host} has no place for ${what}: create the repository or project there first`;
    case 'RegistryRateLimited':
      return `${host} limits our requests for ${what}: wait, or log in for a higher limit`;
    case 'RegistryUnavailable':
      return `${host} could not ${action} ${what} now (HTTP ${status}): it is tried again`;
    case 'RegistryBadAnswer':
      return `${host} answered the ${action} of ${what} with HTTP ${status} and something that is no registry's answer: look for a proxy or firewall in between`;
    case 'ForeignLayersRefused':
      return foreignSentence(host, what);
    case 'TagImmutable':
      return keptTag(host, what);
    case 'TransferCorrupt':
      return `${host} received other bytes for ${what} than were meant: the ${action} is tried again`;
    default:
      return `${host} refused to ${action} ${what} (HTTP ${status})`;
  }
}

/** What registries refuse without a code that says so. */
function refusalType({ status, body }: AnswerText, { action }: Asked): FailureType | undefined {
  if (action !== 'push') return undefined;
  if (FOREIGN.test(body)) return 'ForeignLayersRefused';
  return status >= 400 && status < 500 && IMMUTABLE.test(body) ? 'TagImmutable' : undefined;
}

/**
 * Makes the error for an answer that is no success. The protocol's error code decides before the HTTP status does
 * (design, decision 10): Docker Hub answers 401 for what is DENIED, proxies answer 403 with a web page.
 */
export function classify(answer: AnswerText, asked: Asked): RegistryError {
  const { status, body, contentType } = answer;
  const errors = parseErrors(body);
  const known = errors.find((error) => BY_CODE.has(error.code)) ?? errors[0];
  const type =
    refusalType(answer, asked) ??
    (known && BY_CODE.get(known.code)) ??
    typeOfStatus(status, isWebPage(body, contentType));
  const said = known === undefined ? '' : ` (${scrub(`${known.code}: ${known.message ?? ''}`)})`;
  return new RegistryError(type, sentence(type, status, asked) + said, {
    code: known?.code,
    status,
    lacks: errors.flatMap(({ code, detail }) =>
      code === 'MANIFEST_BLOB_UNKNOWN' && detail !== undefined ? [detail] : [],
    ),
    retryAfterMs: parseRetryAfter(answer.retryAfter),
  });
}

const NETWORK: ReadonlyMap<string, string> = new Map([
  ['ENOTFOUND', 'its name is not known here: check the spelling, DNS and proxy settings'],
  ['EAI_AGAIN', 'its name could not be looked up: check DNS'],
  ['ECONNREFUSED', 'nothing listens there: check host and port'],
  ['UND_ERR_CONNECT_TIMEOUT', 'no connection in time: check firewall and proxy settings'],
  ['UND_ERR_HEADERS_TIMEOUT', 'no answer in time'],
  ['UND_ERR_BODY_TIMEOUT', 'the answer stopped coming'],
  ['TimeoutError', 'the exchange took too long'],
  ['ECONNRESET', 'the connection broke'],
  ['EPIPE', 'the connection broke'],
  ['UND_ERR_SOCKET', 'the connection broke'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'it does not speak TLS: name it in INSECURE_REGISTRIES if that is meant'],
  [
    'ERR_SSL_PACKET_LENGTH_TOO_LONG',
    'it does not speak TLS: name it in INSECURE_REGISTRIES if that is meant',
  ],
]);

/** No answer, or half of one. */
export class UnreachableError extends FactoryError {
  constructor(
    message: string,
    /** The system's or undici's code, such as `ENOTFOUND`; empty when there was none. */
    readonly code: string,
  ) {
    super('RegistryUnavailable', message);
  }
}

/** The error for a request that got no answer, or half of one. The cause is left out: it may carry a signed URL. */
export function networkError(error: unknown, host: string): FactoryError {
  if (error instanceof FactoryError) return error;
  const code = codeOf(error);
  if (code.startsWith('HPE_')) {
    return new FactoryError(
      'RegistryBadAnswer',
      `${host} does not speak HTTP as it should (${code}): look for a proxy or firewall in between`,
    );
  }
  const untrusted = certificateFault(code);
  if (untrusted !== undefined)
    return new FactoryError('CertificateNotTrusted', `${host} could not be reached: ${untrusted}`);
  const why = NETWORK.get(code) ?? (code || 'the request failed');
  return new UnreachableError(`${host} could not be reached: ${why}`, code);
}
