import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { FactoryError } from '../common/errors.js';
import { canonicalHost } from './reference.js';

/** What proves who we are. An identity token is what `docker login` stores for registries with OAuth (Azure, Hub). */
export type Credential =
  | { kind: 'password'; user: string; password: string }
  | { kind: 'identity-token'; token: string };

export interface CredentialProvider {
  /** The credential for a registry's host (`docker.io` for Docker Hub); undefined means: ask anonymously. */
  forHost(host: string): Promise<Credential | undefined>;
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
  return {
    forHost: async (host) =>
      login !== undefined && canonicalHost(host) === target
        ? { kind: 'password', ...login }
        : fallback.forHost(host),
  };
}

/** Where Docker keeps its logins: `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`. */
export const dockerConfigPath = (env: Readonly<Record<string, string | undefined>>): string =>
  join(env.DOCKER_CONFIG || join(homedir(), '.docker'), 'config.json');

const MAX_CONFIG_BYTES = 1024 * 1024;

// Unknown members (credHelpers, psFormat, …) are nobody's fault, and one odd entry must not hide the others.
const configSchema = z.object({ auths: z.record(z.string(), z.unknown()).optional() });
const entrySchema = z.object({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  identitytoken: z.string().optional(),
});
type Entry = z.infer<typeof entrySchema>;

/** `https://index.docker.io/v1/`, `https://host/v2/` and `host` are all keys that Docker writes or wrote. */
const hostOfKey = (key: string): string =>
  canonicalHost(key.replace(/^https?:\/\//i, '').split('/', 1)[0] ?? '');

function credentialOf(entry: Entry): Credential | undefined | 'malformed' {
  if (entry.identitytoken) return { kind: 'identity-token', token: entry.identitytoken };
  if (entry.username && entry.password !== undefined)
    return { kind: 'password', user: entry.username, password: entry.password };
  if (!entry.auth) return undefined; // what Docker writes beside a credential helper
  // Docker pads with NUL bytes and cuts them off when it reads.
  const text = Buffer.from(entry.auth, 'base64').toString('utf8').replace(/\0+$/, '');
  const colon = text.indexOf(':');
  if (colon <= 0) return 'malformed';
  return { kind: 'password', user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/**
 * The plain `auths` entries of a Docker configuration file. Credential helpers are not run: they would be programs named
 * by a file. A missing file has no credentials. The file is read again when it changes, because helpers outside (ECR,
 * GCR) renew tokens in it.
 *
 * @throws FactoryError `InvalidInput` from `forHost` when the file or the host's entry is malformed; never with contents.
 */
export function dockerConfigCredentials(path: string): CredentialProvider {
  let known: { stamp: string; entries: Map<string, unknown> } | undefined;
  // No cause: JSON.parse quotes the text that it stumbled over.
  const malformed = (why: string): FactoryError =>
    new FactoryError('InvalidInput', `the Docker configuration ${path} ${why}: mend it, or run docker login`);

  const load = async (): Promise<Map<string, unknown>> => {
    const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
      throw malformed(`can't be read (${error.code})`);
    });
    if (found === undefined) return new Map();
    const stamp = `${found.ino}/${found.mtimeMs}/${found.size}`;
    if (known?.stamp === stamp) return known.entries;
    if (found.size > MAX_CONFIG_BYTES) throw malformed('is larger than 1 MiB');
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      throw malformed(`can't be read (${error.code})`);
    });
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      throw malformed('is not JSON');
    }
    const config = configSchema.safeParse(json);
    if (!config.success) throw malformed('has no object "auths"');
    const entries = new Map<string, unknown>();
    for (const [key, entry] of Object.entries(config.data.auths ?? {})) entries.set(hostOfKey(key), entry);
    known = { stamp, entries };
    return entries;
  };

  return {
    forHost: async (host) => {
      const value = (await load()).get(canonicalHost(host));
      if (value === undefined) return undefined;
      const entry = entrySchema.safeParse(value);
      const credential = entry.success ? credentialOf(entry.data) : 'malformed';
      if (credential === 'malformed') throw malformed(`has a malformed entry for ${host}`);
      return credential;
    },
  };
}
