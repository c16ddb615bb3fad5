import { canonicalHost } from './reference.js';

/** What proves who we are. An identity token is what `docker login` stores for registries with OAuth (Azure, Hub). */
export type Credential =
  | { kind: 'password'; user: string; password: string }
  | { kind: 'identity-token'; token: string };

export interface CredentialProvider {
  /** The credential for a registry's host (`docker.io` for Docker Hub); undefined means: ask anonymously. */
  forHost(host: string): Promise<Credential | undefined>;
  /** To be told that a host did not take what {@link forHost} gave: the next answer may be a fresh one. */
  refused?(host: string, credential: Credential): Promise<void>;
}

/** Asks every registry anonymously. */
export const anonymous: CredentialProvider = { forHost: async () => undefined };

/** The program's own credential for the target; every other host is answered by `fallback`. */
export function targetCredentials(
  targetHost: string,
  login: { user: string; password: string } | undefined,
  fallback: CredentialProvider,
): CredentialProvider {
  const target = canonicalHost(targetHost);
  const isOurs = (host: string): boolean => login !== undefined && canonicalHost(host) === target;
  return {
    forHost: async (host) =>
      login !== undefined && isOurs(host) ? { kind: 'password', ...login } : fallback.forHost(host),
    refused: async (host, credential) => {
      if (!isOurs(host)) await fallback.refused?.(host, credential);
    },
  };
}

/** Whether two credentials are the same to a registry. */
export const isSameCredential = (a: Credential, b: Credential): boolean =>
  a.kind === 'password'
    ? b.kind === 'password' && a.user === b.user && a.password === b.password
    : b.kind === 'identity-token' && a.token === b.token;
