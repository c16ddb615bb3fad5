import { FactoryError } from '../common/errors.js';
import { errorSchema, type HarnessErrorBody } from './schemas.js';
import { htmlTitle, plain } from './text.js';

/** An answer as it came, its body cut at the transport's limit. */
export interface HarnessAnswer {
  status: number;
  text: string;
  /** The `Retry-After` header, if any. */
  retryAfter: string | undefined;
  /** The `Location` header, if any. */
  location: string | undefined;
}

/** Who was asked for what: `host` is named in every message, `secret` is taken out of every message. */
export interface CallContext {
  host: string;
  what: string;
  secret: string;
}

/** A batch was refused because of one field. Nothing of the batch was applied. */
export class HarnessFieldRejected extends FactoryError {
  readonly field: string;

  constructor(field: string, message: string) {
    super('HarnessRejected', message);
    this.field = field;
  }
}

/** The limit counts requests per minute and key, and the answer says nothing about when to come back. */
const RATE_LIMIT_WAIT_MS = 60_000;
const LONGEST_WAIT_MS = 3_600_000;

const UNKNOWN_FIELD = /^Field (.{1,200}?) does not exist for infra type/;

const PERMISSIONS: Readonly<Record<string, string>> = {
  core_account_view: 'to view the account (core_account_view)',
  core_account_edit: 'to edit the account (core_account_edit)',
};

/** The body's JSON; undefined when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What an answer other than success means, by Harness's own code first and by the HTTP status where it gives none. */
export function failureOf(answer: HarnessAnswer, context: CallContext): FactoryError {
  const { status, text } = answer;
  const { host, what, secret } = context;
  const body = errorSchema.safeParse(parseJson(text)).data;
  const title = htmlTitle(text, secret);
  const said = saying(body, title, secret);

  if (status === 429) {
    return new FactoryError(
      'HarnessRateLimited',
      `Harness at ${host} allows no more requests for now (${what}).`,
      {
        retryAfterMs: waitOf(answer.retryAfter) ?? RATE_LIMIT_WAIT_MS,
      },
    );
  }
  if (status >= 500 || status === 408) {
    return new FactoryError(
      'HarnessUnavailable',
      `Harness at ${host} could not answer ${what} (HTTP ${status})${said}.`,
      { retryAfterMs: waitOf(answer.retryAfter) },
    );
  }
  if (status >= 300 && status < 400) return redirected(answer, context);
  if (title !== undefined) return pageInstead(status, title, context);
  if (status === 401 || body?.code === 'INVALID_TOKEN' || body?.code === 'EXPIRED_TOKEN') {
    return unauthorized(body, context);
  }
  if (status === 403 || body?.code === 'NG_ACCESS_DENIED') return forbidden(body, context);
  if (body === undefined || (status === 404 && !body.code)) {
    return new FactoryError(
      'HarnessBadAnswer',
      `${host} answered ${what} with HTTP ${status} and nothing that Harness would say; check the Harness URL.`,
    );
  }
  const message = `Harness at ${host} refused ${what} (HTTP ${status})${said}.`;
  const field = UNKNOWN_FIELD.exec(body.message ?? '')?.[1];
  return field === undefined
    ? new FactoryError('HarnessRejected', message)
    : new HarnessFieldRejected(field, message);
}

/** An answer that can't be used as it is. */
export function badAnswer({ host, what }: Pick<CallContext, 'host' | 'what'>, why: string): FactoryError {
  return new FactoryError('HarnessBadAnswer', `${host} answered ${what}, but ${why}.`);
}

/** An HTML page where JSON should be: something between us and Harness answered, or the URL is not Harness's. */
export function pageInstead(status: number, title: string, { host, what }: CallContext): FactoryError {
  const named = title === '' ? '' : ` titled "${title}"`;
  return new FactoryError(
    'HarnessBadAnswer',
    `${host} answered ${what} with an HTML page${named} (HTTP ${status}); a proxy, a firewall or a login page ` +
      'answers in place of Harness: check the Harness URL and the way to it.',
  );
}

function redirected(answer: HarnessAnswer, { host, what, secret }: CallContext): FactoryError {
  const to = answer.location === undefined ? undefined : originOf(answer.location, host);
  return new FactoryError(
    'HarnessBadAnswer',
    `${host} answered ${what} with a redirect${to === undefined ? '' : ` to ${plain(to, secret, 100)}`}, which is not ` +
      'followed with the API key; check the Harness URL.',
  );
}

function unauthorized(body: HarnessErrorBody | undefined, { host, what }: CallContext): FactoryError {
  const renew =
    'create a new one in Harness (profile or service account → API keys) and give it to the worker';
  const why =
    body?.code === 'EXPIRED_TOKEN'
      ? `the API key has expired (EXPIRED_TOKEN): ${renew}`
      : body?.code === 'INVALID_TOKEN'
        ? `the API key is not valid (INVALID_TOKEN): check that it is whole and of this account, or ${renew}`
        : `the API key was not accepted (HTTP 401): check that it is whole and of this account, or ${renew}`;
  return new FactoryError('HarnessUnauthorized', `Harness at ${host} refused ${what}: ${why}.`);
}

function forbidden(body: HarnessErrorBody | undefined, { host, what, secret }: CallContext): FactoryError {
  const checks = (body?.failedPermissionChecks ?? [])
    .map(({ permission }) => permission ?? '')
    .filter(Boolean);
  const missing = [...new Set(checks)]
    .slice(0, 10)
    .map((permission) => PERMISSIONS[permission] ?? plain(permission, secret, 60));
  const lacks =
    missing.length > 0
      ? `the API key's owner lacks the permission ${missing.join(' and ')}`
      : `the API key's owner lacks a permission${saying(body, undefined, secret)}`;
  return new FactoryError(
    'HarnessForbidden',
    `Harness at ${host} refused ${what}: ${lacks}; give a role that has it, or use another key.`,
  );
}

/** What the other side said, ready to follow a sentence. */
function saying(body: HarnessErrorBody | undefined, title: string | undefined, secret: string): string {
  const text = plain(body?.message ?? title ?? '', secret).replace(/\.+$/, '');
  return text === '' ? '' : `: ${text}`;
}

/** Only scheme and host of a redirect: the rest may carry a signature. */
function originOf(location: string, host: string): string | undefined {
  const base = `https://${host}`;
  if (!URL.canParse(location, base)) return undefined;
  const url = new URL(location, base);
  return `${url.protocol}//${url.host}`;
}

/** `Retry-After` in its two forms (RFC 9110, 10.2.3), in milliseconds. */
function waitOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), LONGEST_WAIT_MS) : undefined;
}
