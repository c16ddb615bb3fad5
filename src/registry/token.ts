import { z } from 'zod';
import { FactoryError } from '../common/errors.js';
import type { Credential } from './credentials.js';
import { classify } from './errors.js';
import { type HttpRequest, readBody, type Transport, textOf } from './transport.js';

const TOKEN_ANSWER_LIMIT = 256 * 1024;
/** distribution's token specification: the least that a token lives, and what it lives if nobody says. */
const DEFAULT_LIFE_S = 60;
const MAX_LIFE_S = 60 * 60;
const CLIENT_ID = 'harness-ci-image-factory';

// What is in a token goes into a header as it is, so nothing but visible ASCII may be in it.
const tokenText = z.string().regex(/^[\x21-\x7e]+$/);
const tokenSchema = z
  .object({
    token: tokenText.optional().catch(undefined),
    access_token: tokenText.optional().catch(undefined),
    expires_in: z.number().positive().optional().catch(undefined),
  })
  .transform(({ token, access_token, expires_in }) => ({
    token: token ?? access_token,
    lifeS: Math.min(expires_in ?? DEFAULT_LIFE_S, MAX_LIFE_S),
  }));

/** The value of `Authorization` for a user and a password (RFC 7617). */
export const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`, 'utf8').toString('base64')}`;

export interface TokenQuery {
  /** The registry that wants the token. */
  host: string;
  /** The address that gives it. */
  realm: URL;
  service: string | undefined;
  scopes: readonly string[];
  credential: Credential | undefined;
}

/**
 * Gets a token for a registry, anonymously when there is no credential.
 * @throws FactoryError `RegistryUnauthorized` when the credential is wrong, `RegistryBadAnswer` when no token comes
 */
export async function fetchToken(
  transport: Transport,
  query: TokenQuery,
): Promise<{ token: string; lifeS: number }> {
  const { host, realm } = query;
  const answer = await transport.send(requestFor(query));
  const body = await readBody(answer, TOKEN_ANSWER_LIMIT, undefined);
  const asked = { host, what: `a token (from ${realm.host})`, action: 'pull' } as const;
  if (answer.status !== 200) throw classify(textOf(answer, body), asked);
  const parsed = tokenSchema.safeParse(jsonOf(body));
  const token = parsed.data?.token;
  if (!parsed.success || token === undefined)
    throw new FactoryError(
      'RegistryBadAnswer',
      `${realm.host} answered our request for a token of ${host} with something that holds no token: look for a proxy in between`,
    );
  return { token, lifeS: parsed.data.lifeS };
}

function requestFor({ realm, service, scopes, credential }: TokenQuery): HttpRequest {
  if (credential?.kind === 'identity-token') {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: CLIENT_ID,
      refresh_token: credential.token,
      scope: scopes.join(' '),
    });
    if (service !== undefined) form.set('service', service);
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return { method: 'POST', url: realm, headers, body: form.toString() };
  }
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  if (credential === undefined) return { method: 'GET', url };
  return { method: 'GET', url, headers: { authorization: basic(credential.user, credential.password) } };
}

const jsonOf = (body: Buffer | undefined): unknown => {
  try {
    return JSON.parse(body?.toString('utf8') ?? '');
  } catch {
    return undefined;
  }
};
