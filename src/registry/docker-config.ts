import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { FactoryError } from '../common/errors.js';
import { CredentialHelpers, HelperMissing } from './credential-helper.js';
import type { Credential, CredentialProvider } from './credentials.js';
import { canonicalHost } from './reference.js';

/** Where Docker keeps its logins: `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`. */
export const dockerConfigPath = (env: Readonly<Record<string, string | undefined>>): string =>
  join(env.DOCKER_CONFIG || join(homedir(), '.docker'), 'config.json');

const MAX_CONFIG_BYTES = 1024 * 1024;

// Unknown members (psFormat, …) are nobody's fault, and one odd entry must not hide the others.
const configSchema = z.object({
  auths: z.record(z.string(), z.unknown()).optional(),
  credHelpers: z.record(z.string(), z.unknown()).optional(),
  credsStore: z.string().optional(),
});
const entrySchema = z.object({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  identitytoken: z.string().optional(),
});
type Entry = z.infer<typeof entrySchema>;

interface Logins {
  /** By host. */
  entries: ReadonlyMap<string, unknown>;
  helpers: ReadonlyMap<string, unknown>;
  store: string | undefined;
}

const NOTHING: Logins = { entries: new Map(), helpers: new Map(), store: undefined };

/** `https://index.docker.io/v1/`, `https://host/v2/` and `host` are all keys that Docker writes or wrote. */
const hostOfKey = (key: string): string =>
  canonicalHost(key.replace(/^https?:\/\//i, '').split('/', 1)[0] ?? '');

const byHost = (map: Record<string, unknown> | undefined): Map<string, unknown> =>
  new Map(Object.entries(map ?? {}).map(([key, value]) => [hostOfKey(key), value]));

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
 * The logins of a Docker configuration file: a host's helper (`credHelpers`), else its plain entry (`auths`), else the
 * helper for all (`credsStore`). A missing file has none. The file is read again when it changes.
 *
 * Helpers are programs that a file names, so the file must be the operator's own, as it is for docker.
 *
 * @param environment all that helpers see.
 * @throws FactoryError from `forHost`: `InvalidInput` when the file or the host's entry is malformed, never with
 *   contents; what helpers throw.
 */
export function dockerConfigCredentials(
  path: string,
  environment: Record<string, string>,
): CredentialProvider {
  let known: { stamp: string; logins: Logins } | undefined;
  const helpers = new CredentialHelpers(environment);
  // No cause: JSON.parse quotes the text that it stumbled over.
  const malformed = (why: string): FactoryError =>
    new FactoryError('InvalidInput', `the Docker configuration ${path} ${why}: mend it, or run docker login`);

  const load = async (): Promise<Logins> => {
    const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
      throw malformed(`can't be read (${error.code})`);
    });
    if (found === undefined) return NOTHING;
    const stamp = `${found.ino}/${found.mtimeMs}/${found.size}`;
    if (known?.stamp === stamp) return known.logins;
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
    if (!config.success)
      throw malformed('has "auths", "credHelpers" or "credsStore" in another form than Docker’s');
    const { auths, credHelpers, credsStore } = config.data;
    const logins = { entries: byHost(auths), helpers: byHost(credHelpers), store: credsStore || undefined };
    known = { stamp, logins };
    return logins;
  };

  const plain = (host: string, { entries }: Logins): Credential | undefined => {
    const value = entries.get(host);
    if (value === undefined) return undefined;
    const entry = entrySchema.safeParse(value);
    const credential = entry.success ? credentialOf(entry.data) : 'malformed';
    if (credential === 'malformed') throw malformed(`has a malformed entry for ${host}`);
    return credential;
  };

  const helperOf = (host: string, logins: Logins): string | undefined => {
    const own = logins.helpers.get(host);
    if (own === undefined) return logins.store;
    if (typeof own !== 'string') throw malformed(`has a malformed credential helper for ${host}`);
    return own || undefined;
  };

  return {
    forHost: async (text) => {
      const host = canonicalHost(text);
      const logins = await load();
      const helper = helperOf(host, logins);
      const own = logins.helpers.has(host) ? undefined : plain(host, logins);
      if (helper === undefined || own !== undefined) return own;
      try {
        return await helpers.get(helper, host);
      } catch (error) {
        // A laptop's `credsStore: desktop` in a configuration that was carried elsewhere: hosts without a trace of a
        // login are asked anonymously all the same.
        const meant = logins.helpers.has(host) || logins.entries.has(host);
        if (error instanceof HelperMissing && !meant) return undefined;
        throw error;
      }
    },
    refused: async (text, credential) => {
      const host = canonicalHost(text);
      const helper = helperOf(host, await load());
      if (helper !== undefined) await helpers.refused(helper, host, credential);
    },
  };
}
