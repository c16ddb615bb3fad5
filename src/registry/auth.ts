import { FactoryError } from '../common/errors.js';
import { type Challenge, parseChallenges } from './challenge.js';
import { type Credential, type CredentialProvider, isSameCredential } from './credentials.js';
import { basic, fetchToken, type TokenQuery } from './token.js';
import type { Transport } from './transport.js';

/** How a host wants to be convinced; kept so that only the first request is refused. */
type Scheme = { kind: 'basic' } | { kind: 'bearer'; realm: URL; service: string | undefined };

interface CachedToken {
  token: Promise<string>;
  /** Infinity while it is being fetched. */
  renewAt: number;
}

/** A token is renewed after this part of its life, so that it does not end between our clock and theirs. */
const RENEW_AFTER = 0.75;

/** Waits for shared work, but no longer than one's own signal allows. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  work.catch(() => {}); // nobody may be left to see it fail
  signal.throwIfAborted();
  // A signal of our own: a caller's may be waited on by hundreds of blobs, and Node warns at eleven listeners.
  const own = AbortSignal.any([signal]);
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    own.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    own.removeEventListener('abort', onAbort);
  }
}

/**
 * Answers authentication challenges of registries: Basic, and Bearer with tokens from the realm that the registry names
 * (distribution's token specification; OAuth 2 for identity tokens).
 *
 * A host's credential goes to that host (Basic) or to the token realm that this host names (Bearer), nowhere else. As
 * with docker, any HTTPS realm counts: whoever answers as the registry could ask for the same credential with Basic, so
 * a rule on the realm's name would protect nothing and would break Docker Hub (auth.docker.io). A realm in plain HTTP is
 * refused unless the registry itself is spoken to in plain HTTP.
 */
export class Authorizer {
  readonly #transport: Transport;
  readonly #credentials: CredentialProvider;
  readonly #schemes = new Map<string, Scheme>();
  readonly #tokens = new Map<string, CachedToken>();

  constructor(transport: Transport, credentials: CredentialProvider) {
    this.#transport = transport;
    this.#credentials = credentials;
  }

  /** The `Authorization` for a host, undefined while it has not asked for one. */
  async header(host: string, scopes: readonly string[], signal?: AbortSignal): Promise<string | undefined> {
    const scheme = this.#schemes.get(host);
    if (scheme === undefined) return undefined;
    const credential = await this.#credentials.forHost(host);
    if (scheme.kind === 'basic') {
      if (credential?.kind === 'password') return basic(credential.user, credential.password);
      throw unauthorized(host, 'asks for a user and a password, and we have none for it');
    }
    return `Bearer ${await this.#token(host, scheme, scopes, credential, signal)}`;
  }

  /**
   * Learns from a 401 how the host wants to be convinced, and gives the header for a second try. `used` is the header
   * that was refused: its token is thrown away.
   *
   * @throws FactoryError `RegistryUnauthorized` when there is nothing better to try
   */
  async challenged(
    host: string,
    scopes: readonly string[],
    wwwAuthenticate: string | undefined,
    used: string | undefined,
    signal?: AbortSignal,
  ): Promise<string> {
    const challenges = parseChallenges(wwwAuthenticate ?? '');
    const bearer = challenges.find((challenge) => challenge.scheme === 'bearer');
    const scheme: Scheme | undefined = bearer
      ? this.#bearer(host, bearer)
      : challenges.some((challenge) => challenge.scheme === 'basic')
        ? { kind: 'basic' }
        : undefined;
    if (scheme === undefined)
      throw unauthorized(host, 'refuses us and names no way to log in that we know (Basic, Bearer)');
    this.#schemes.set(host, scheme);
    // A registry may name its repositories otherwise inside: what it asks for is added to what we want.
    const named = (bearer?.parameters.get('scope') ?? '').split(' ').filter((scope) => scope !== '');
    const wanted = [...new Set([...scopes, ...named.filter((scope) => !covered(scope, scopes))])];
    if (scheme.kind === 'bearer') await this.#forget(host, scheme, wanted, used);
    const header = await this.header(host, wanted, signal);
    const better = header === used && used !== undefined ? await this.again(host, used) : header;
    if (better === undefined) throw unauthorized(host, 'did not accept our user and password');
    return better;
  }

  /**
   * The header after the one that was refused, where a login may have run out: a credential helper's and a cloud's do.
   * Bearer tokens are renewed by {@link challenged}.
   *
   * @returns undefined when there is no other
   */
  async again(host: string, used: string): Promise<string | undefined> {
    if (this.#schemes.get(host)?.kind !== 'basic') return undefined;
    const old = await this.#credentials.forHost(host);
    if (old?.kind !== 'password') return undefined;
    // Another request may have been faster.
    if (basic(old.user, old.password) !== used) return basic(old.user, old.password);
    const fresh = await this.#renewed(host, old);
    return fresh?.kind === 'password' ? basic(fresh.user, fresh.password) : undefined;
  }

  async #renewed(host: string, refused: Credential): Promise<Credential | undefined> {
    await this.#credentials.refused?.(host, refused);
    const fresh = await this.#credentials.forHost(host);
    return fresh === undefined || isSameCredential(fresh, refused) ? undefined : fresh;
  }

  #bearer(host: string, challenge: Challenge): Scheme {
    const text = challenge.parameters.get('realm') ?? '';
    const realm = URL.canParse(text) ? new URL(text) : undefined;
    if (realm === undefined || !/^https?:$/.test(realm.protocol) || realm.username || realm.password)
      throw new FactoryError('RegistryBadAnswer', `${host} names no usable address for its tokens`);
    if (realm.protocol === 'http:' && this.#transport.base(host).protocol === 'https:')
      throw new FactoryError(
        'RegistryRejected',
        `${host} wants our credentials sent in plain HTTP to ${realm.host}, which we refuse: set its token realm to https`,
      );
    return { kind: 'bearer', realm, service: challenge.parameters.get('service') };
  }

  async #forget(
    host: string,
    scheme: Extract<Scheme, { kind: 'bearer' }>,
    scopes: readonly string[],
    used: string | undefined,
  ): Promise<void> {
    const key = keyOf(host, scheme, scopes);
    const cached = this.#tokens.get(key);
    // Several requests may have been refused for the same old token: only the first one throws it away.
    if (cached === undefined || cached.renewAt === Number.POSITIVE_INFINITY || used === undefined) return;
    if (`Bearer ${await cached.token}` === used && this.#tokens.get(key) === cached) this.#tokens.delete(key);
  }

  #token(
    host: string,
    scheme: Extract<Scheme, { kind: 'bearer' }>,
    scopes: readonly string[],
    credential: Credential | undefined,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const key = keyOf(host, scheme, scopes);
    const cached = this.#tokens.get(key);
    if (cached !== undefined && cached.renewAt > Date.now()) return unlessAborted(cached.token, signal);
    // One fetch for all who wait. It has its own time limit and no caller's signal: the next caller wants it too.
    const entry: CachedToken = { token: Promise.resolve(''), renewAt: Number.POSITIVE_INFINITY };
    entry.token = this.#fetch({ ...scheme, host, scopes, credential }).then(
      ({ token, lifeS }) => {
        entry.renewAt = Date.now() + lifeS * 1000 * RENEW_AFTER;
        return token;
      },
      (error: unknown) => {
        if (this.#tokens.get(key) === entry) this.#tokens.delete(key);
        throw error;
      },
    );
    this.#tokens.set(key, entry);
    return unlessAborted(entry.token, signal);
  }

  /** A token, with a fresh credential where the one at hand is refused. */
  async #fetch(query: TokenQuery): Promise<{ token: string; lifeS: number }> {
    try {
      return await fetchToken(this.#transport, query);
    } catch (error) {
      const refused = error instanceof FactoryError && error.type === 'RegistryUnauthorized';
      const credential =
        refused && query.credential ? await this.#renewed(query.host, query.credential) : undefined;
      if (credential === undefined) throw error;
      return fetchToken(this.#transport, { ...query, credential });
    }
  }
}

const keyOf = (
  host: string,
  scheme: Extract<Scheme, { kind: 'bearer' }>,
  scopes: readonly string[],
): string => JSON.stringify([host, scheme.realm.href, scheme.service, [...scopes].sort()]);

/** Whether what is asked for is among our own scopes, with at least its actions. */
function covered(scope: string, ours: readonly string[]): boolean {
  const cut = scope.lastIndexOf(':');
  const actions = scope.slice(cut + 1).split(',');
  return ours.some(
    (own) =>
      own.slice(0, own.lastIndexOf(':')) === scope.slice(0, cut) &&
      actions.every((action) =>
        own
          .slice(own.lastIndexOf(':') + 1)
          .split(',')
          .includes(action),
      ),
  );
}

const unauthorized = (host: string, why: string): FactoryError =>
  new FactoryError(
    'RegistryUnauthorized',
    `${host} ${why}: log in with docker login or a credential helper, or set REGISTRY_USER and REGISTRY_PASSWORD if it is the target`,
  );
