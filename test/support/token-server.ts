import { createPrivateKey, randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basic } from '../../src/registry/token.js';
import { createAuthority } from './tls.js';

export const SERVICE = 'test-registry';

export interface TokenServer {
  /** Distribution's `auth` section: it takes this server's tokens alone. */
  auth: object;
  /** Every request: its scopes, and whether it came with the login. */
  seen: { scopes: string[]; login: boolean }[];
  /** What the next tokens say of their life, and after how long the registry refuses them. */
  life: { saidS: number; trueS: number };
  /** Scopes (their beginning) that are not given. */
  withhold: string[];
  stop(): Promise<void>;
}

/** Distribution forgives this much of a clock's difference, 2.8 and 3 alike (registry/auth/token, Leeway). */
const LEEWAY_S = 60;

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/**
 * A token server (distribution's token specification) for one user, whose tokens are signed for a real registry.
 *
 * @param directory where the registry finds the authority of its certificate
 */
export async function startTokenServer(
  directory: string,
  login: { user: string; password: string },
): Promise<TokenServer> {
  const authority = await createAuthority('token authority');
  const { certificate, key } = await authority.issue({ names: ['tokens.example.com'] });
  const rootcertbundle = `${directory}/tokens.pem`;
  await writeFile(rootcertbundle, authority.certificate);
  const x5c = [certificate.replace(/-----[A-Z ]+-----|\s/g, '')];
  const state = {
    seen: [] as TokenServer['seen'],
    life: { saidS: 60, trueS: 60 },
    withhold: [] as string[],
  };

  const tokenFor = (scopes: readonly string[]): string => {
    const now = Math.floor(Date.now() / 1000);
    const access = scopes.flatMap((scope) => {
      const [type = '', name = '', actions = ''] = scope.split(':');
      const given = !state.withhold.some((start) => scope.startsWith(start));
      return given ? [{ type, name, actions: actions.split(',') }] : [];
    });
    const head = encoded({ typ: 'JWT', alg: 'ES256', x5c });
    const claims = encoded({
      ...{ iss: 'test-issuer', sub: login.user, aud: SERVICE, jti: randomUUID(), access },
      ...{ iat: now - LEEWAY_S, nbf: now - LEEWAY_S, exp: now + state.life.trueS - LEEWAY_S },
    });
    const signature = sign('sha256', Buffer.from(`${head}.${claims}`), {
      key: createPrivateKey(key),
      dsaEncoding: 'ieee-p1363',
    });
    return `${head}.${claims}.${signature.toString('base64url')}`;
  };

  const server = createServer((asked, response) => {
    const scopes = new URL(asked.url ?? '', 'http://x').searchParams.getAll('scope');
    const isLogin = asked.headers.authorization === basic(login.user, login.password);
    state.seen.push({ scopes, login: isLogin });
    if (!isLogin) return void response.writeHead(401).end();
    const answer = { token: tokenFor(scopes), expires_in: state.life.saidS };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  const realm = `http://127.0.0.1:${port}/token`;
  return Object.assign(state, {
    auth: { token: { realm, service: SERVICE, issuer: 'test-issuer', rootcertbundle } },
    stop: async () => {
      server.close();
      server.closeAllConnections();
    },
  });
}
