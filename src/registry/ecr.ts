import type { ECRClient, Repository as EcrRepository } from '@aws-sdk/client-ecr';
import { awsHandler } from '../common/aws-handler.js';
import { certificateFault } from '../common/certificates.js';
import { FactoryError } from '../common/errors.js';
import { Connections, codeOf } from '../common/network.js';
import { untilAborted } from '../common/until-aborted.js';
import type { Reference } from '../contract/brand.js';
import type { Credential, CredentialProvider } from './credentials.js';
import { ecrOf } from './ecr-host.js';
import type { HostApi } from './host-api.js';
import { type Repository, splitReference } from './reference.js';

/** A token lives for 12 hours: this long before its end a new one is taken, so that no transfer outlives its own. */
const RENEW_BEFORE_MS = 60 * 60_000;
/** How long it is believed that there are no AWS credentials, or that a repository's settings are as they were. */
const KEEP_MS = 5 * 60_000;
const CONNECT_MS = 10_000;
const ANSWER_MS = 30_000;
const TIMED = { requestTimeout: ANSWER_MS };

interface Kept<T> {
  value: Promise<T>;
  until: number;
}

/**
 * Amazon's private registries, by their own API: tokens, repositories and whether tags may move. AWS's SDK finds the
 * credentials as AWS's tools do, and is loaded with the first ECR host.
 */
export class Ecr implements HostApi {
  readonly #endpoint: string | null;
  readonly #clients = new Map<string, Promise<ECRClient>>();
  readonly #tokens = new Map<string, Kept<Credential | undefined>>();
  readonly #described = new Map<string, Kept<EcrRepository | undefined>>();
  readonly #creating = new Map<string, Promise<boolean>>();

  readonly #connections: Connections;

  /**
   * @param endpoint another API than AWS's (`AWS_ENDPOINT_URL_ECR`)
   * @param ca certificates to trust instead of Node's own, as `trusting` gives them
   */
  constructor(endpoint: string | null, ca?: readonly string[]) {
    this.#endpoint = endpoint;
    // Left open with the worker: what is idle keeps no process alive.
    this.#connections = new Connections({ ca, connectMs: CONNECT_MS });
  }

  /** The logins of `configured`, and tokens of our own for ECR hosts that have none there. */
  logins(configured: CredentialProvider): CredentialProvider {
    return {
      forHost: async (host) => (await configured.forHost(host)) ?? this.#token(host),
      refused: async (host, credential) => {
        await configured.refused?.(host, credential);
        const known = this.#tokens.get(host);
        if ((await known?.value.catch(() => undefined)) === credential) this.#tokens.delete(host);
      },
    };
  }

  async createRepository({ host, path }: Repository, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    const name = `${host}/${path}`;
    // All blobs of an image find out at once that it is missing: one call for all, which none of them may cancel.
    const running =
      this.#creating.get(name) ?? this.#create(host, path).finally(() => this.#creating.delete(name));
    this.#creating.set(name, running);
    return untilAborted(running, signal);
  }

  async keepsTag(reference: Reference, signal?: AbortSignal): Promise<boolean> {
    const { host, path, tag } = splitReference(reference);
    if (tag === null || ecrOf(host) === undefined) return false;
    signal?.throwIfAborted();
    const described = await untilAborted(this.#describe(host, path), signal);
    const { imageTagMutability: rule, imageTagMutabilityExclusionFilters: filters = [] } = described ?? {};
    const excluded = filters.some(({ filter = '' }) => matches(tag, filter));
    if (rule === 'IMMUTABLE') return true;
    return rule === 'IMMUTABLE_WITH_EXCLUSION' ? !excluded : rule === 'MUTABLE_WITH_EXCLUSION' && excluded;
  }

  #token(host: string): Promise<Credential | undefined> {
    if (ecrOf(host) === undefined) return Promise.resolve(undefined);
    const known = this.#tokens.get(host);
    if (known !== undefined && known.until > Date.now()) return known.value;
    const entry: Kept<Credential | undefined> = {
      value: Promise.resolve(undefined),
      until: Number.POSITIVE_INFINITY,
    };
    entry.value = this.#fetchToken(host, entry).catch((error: unknown) => {
      if (this.#tokens.get(host) === entry) this.#tokens.delete(host);
      throw error;
    });
    this.#tokens.set(host, entry);
    return entry.value;
  }

  async #fetchToken(host: string, entry: Kept<Credential | undefined>): Promise<Credential | undefined> {
    const answer = await this.#ask(host, 'a token', 'ecr:GetAuthorizationToken', async (client) => {
      const { GetAuthorizationTokenCommand } = await import('@aws-sdk/client-ecr');
      return client.send(new GetAuthorizationTokenCommand({}), TIMED);
    });
    entry.until = Date.now() + KEEP_MS;
    if (answer === undefined) return undefined;
    const [data] = answer.authorizationData ?? [];
    const text = Buffer.from(data?.authorizationToken ?? '', 'base64').toString('utf8');
    const colon = text.indexOf(':');
    if (colon <= 0)
      throw new FactoryError('RegistryBadAnswer', `the ECR API gave a token for ${host} that is none`);
    if (data?.expiresAt !== undefined) {
      const lifeMs = data.expiresAt.getTime() - Date.now();
      entry.until = Date.now() + Math.max(lifeMs - RENEW_BEFORE_MS, lifeMs / 2);
    }
    return { kind: 'password', user: text.slice(0, colon), password: text.slice(colon + 1) };
  }

  async #create(host: string, path: string): Promise<boolean> {
    const registry = ecrOf(host);
    if (registry === undefined) return false;
    const what = `the repository ${path}`;
    const made = await this.#ask(host, what, 'ecr:CreateRepository', async (client) => {
      const { CreateRepositoryCommand } = await import('@aws-sdk/client-ecr');
      try {
        const input = { registryId: registry.account, repositoryName: path };
        return await client.send(new CreateRepositoryCommand(input), TIMED);
      } catch (error) {
        // Another worker was faster.
        if (nameOf(error) === 'RepositoryAlreadyExistsException') return {};
        throw error;
      }
    });
    return made !== undefined;
  }

  #describe(host: string, path: string): Promise<EcrRepository | undefined> {
    const name = `${host}/${path}`;
    const known = this.#described.get(name);
    if (known !== undefined && known.until > Date.now()) return known.value;
    const value = this.#ask(host, 'its settings', 'ecr:DescribeRepositories', async (client) => {
      const { DescribeRepositoriesCommand } = await import('@aws-sdk/client-ecr');
      const input = { registryId: ecrOf(host)?.account, repositoryNames: [path] };
      const answer = await client.send(new DescribeRepositoriesCommand(input), TIMED);
      return answer.repositories?.[0];
    }).catch(() => {
      this.#described.delete(name);
      return undefined; // only a hint: without it the push finds out
    });
    this.#described.set(name, { value, until: Date.now() + KEEP_MS });
    return value;
  }

  /** One call of the API; undefined when there are no AWS credentials to make it with. */
  async #ask<T>(
    host: string,
    what: string,
    right: string,
    call: (client: ECRClient) => Promise<T>,
  ): Promise<T | undefined> {
    try {
      return await call(await this.#client(ecrOf(host)?.region ?? ''));
    } catch (error) {
      if (error instanceof FactoryError) throw error;
      if (nameOf(error) === 'CredentialsProviderError') return undefined;
      throw failure(error, host, what, right);
    }
  }

  #client(region: string): Promise<ECRClient> {
    const client =
      this.#clients.get(region) ??
      // 100 ms and 20 MB that those without ECR need not pay.
      import('@aws-sdk/client-ecr').then(
        ({ ECRClient }) =>
          new ECRClient({
            region,
            ...(this.#endpoint === null ? {} : { endpoint: this.#endpoint }),
            maxAttempts: 3,
            requestHandler: awsHandler(this.#connections, ANSWER_MS),
          }),
      );
    this.#clients.set(region, client);
    return client;
  }
}

const nameOf = (error: unknown): string => (error instanceof Error ? error.name : '');

/** ECR's own wildcards: `*` for any number of characters. */
const matches = (tag: string, filter: string): boolean =>
  new RegExp(
    `^${filter
      .split('*')
      .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
      .join('.*')}$`,
  ).test(tag);

const CREDENTIALS = new Set([
  ...['UnrecognizedClientException', 'InvalidClientTokenId', 'InvalidSignatureException'],
  ...['ExpiredTokenException', 'ExpiredToken', 'SignatureDoesNotMatch', 'IncompleteSignature'],
]);

/** In our terms. The SDK's own message is left out: it can carry the string that was signed, and key ids. */
function failure(error: unknown, host: string, what: string, right: string): FactoryError {
  const name = nameOf(error);
  const where = `the ECR API of ${host}`;
  if (CREDENTIALS.has(name))
    return new FactoryError(
      'RegistryUnauthorized',
      `${where} does not accept the worker's AWS credentials (${name}): check them`,
    );
  if (name === 'AccessDeniedException')
    return new FactoryError(
      'RegistryDenied',
      `${where} does not give the worker's AWS credentials ${what}: allow them ${right}, or do it for them`,
    );
  if (name === 'ThrottlingException' || name === 'TooManyRequestsException')
    return new FactoryError('RegistryRateLimited', `${where} is asked too often for ${what}: wait`);
  if (/^(?:LimitExceeded|InvalidParameter|Validation)/.test(name))
    return new FactoryError('RegistryRejected', `${where} refused us ${what} (${name})`);
  const code = codeOf(error);
  const untrusted = certificateFault(code);
  if (untrusted !== undefined)
    return new FactoryError('CertificateNotTrusted', `${where} could not be reached: ${untrusted}`);
  return new FactoryError(
    'RegistryUnavailable',
    `${where} did not give us ${what} (${code || name || 'no answer'}): check the network, HTTPS_PROXY and AWS_ENDPOINT_URL_ECR`,
  );
}
