import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { text } from 'node:stream/consumers';
import { ACCEPT } from '../../src/registry/media-types.js';
import { startConnectProxy } from './connect-proxy.js';
import { forward } from './forward.js';
import { errorBody } from './hostile-registry.js';
import { startRegistry } from './registry-server.js';
import { createAuthority } from './tls.js';

export const ECR_HOST = '123456789012.dkr.ecr.eu-central-1.amazonaws.com';

/** Where AWS's SDK looks for the API of that region. */
const API_HOST = 'api.ecr.eu-central-1.amazonaws.com';

export interface FakeEcr {
  /**
   * For `HTTPS_PROXY`: the way to {@link ECR_HOST}, which is a real registry behind ECR's manners, and to the API where
   * AWS has it.
   */
  proxy: string;
  /** For `AWS_ENDPOINT_URL_ECR`. */
  api: string;
  /** The authority of the host's certificate. */
  certificate: string;
  /** By name: their `imageTagMutability`. */
  repositories: Map<string, string>;
  /** The API's calls, by action. */
  calls: string[];
  /** Requests to the registry. */
  requests: string[];
  /** Ends the life of all tokens so far. */
  expireTokens(): void;
  /** How long the API says that its next tokens live. */
  lifeS: number;
  /** Answers the API's next calls of an action with this error. */
  refuse: Map<string, string>;
  stop(): Promise<void>;
}

const listen = async (server: Server): Promise<number> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port; // a TCP server that listens has one
};

/**
 * Amazon's ECR, as far as a push meets it: the API's three calls, and a real registry that wants its tokens, knows no
 * repository that was not created, and keeps tags where a repository says so.
 */
export async function startFakeEcr(): Promise<FakeEcr> {
  const behind = await startRegistry();
  const authority = await createAuthority();
  const { certificate, key } = await authority.issue({ names: [ECR_HOST, API_HOST] });
  let tokens = 0;
  let oldest = 1;
  const state = {
    repositories: new Map<string, string>(),
    calls: [] as string[],
    requests: [] as string[],
    refuse: new Map<string, string>(),
    lifeS: 12 * 3600,
  };

  const actions: Record<string, (input: { repositoryName?: string; repositoryNames?: string[] }) => object> =
    {
      GetAuthorizationToken: () => ({
        authorizationData: [
          {
            authorizationToken: Buffer.from(`AWS:token-${++tokens}`).toString('base64'),
            expiresAt: Date.now() / 1000 + state.lifeS,
          },
        ],
      }),
      CreateRepository: ({ repositoryName = '' }) => {
        if (state.repositories.has(repositoryName)) return { __type: 'RepositoryAlreadyExistsException' };
        state.repositories.set(repositoryName, 'MUTABLE');
        return { repository: { repositoryName } };
      },
      DescribeRepositories: ({ repositoryNames: [name = ''] = [] }) => {
        const imageTagMutability = state.repositories.get(name);
        return imageTagMutability === undefined
          ? { __type: 'RepositoryNotFoundException' }
          : { repositories: [{ repositoryName: name, imageTagMutability }] };
      },
    };
  const answerCall = async (asked: IncomingMessage, response: ServerResponse): Promise<void> => {
    const action = String(asked.headers['x-amz-target']).split('.')[1] ?? '';
    state.calls.push(action);
    const body = await text(asked);
    const refused = state.refuse.get(action);
    const answer = refused ? { __type: refused } : (actions[action]?.(JSON.parse(body)) ?? {});
    const status = '__type' in answer ? 400 : 200;
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(answer));
  };
  const api = createServer(answerCall);
  const secureApi = createTlsServer({ cert: certificate, key }, answerCall);

  const refusal = async (asked: IncomingMessage): Promise<[number, string] | undefined> => {
    const url = asked.url ?? '';
    const [, user = ''] = (asked.headers.authorization ?? '').split(' ');
    const token = Number(/^AWS:token-(\d+)$/.exec(Buffer.from(user, 'base64').toString())?.[1] ?? 0);
    if (token < oldest) return [401, ''];
    const name = /^\/v2\/(.+)\/(?:manifests|blobs)\//.exec(url)?.[1] ?? '';
    const rule = state.repositories.get(name);
    if (rule === undefined) return [404, errorBody('NAME_UNKNOWN', `no repository ${name}`)];
    if (asked.method !== 'PUT' || !/\/manifests\/(?!sha256:)/.test(url) || rule !== 'IMMUTABLE')
      return undefined;
    const held = await fetch(`http://${behind.host}${url}`, {
      method: 'HEAD',
      headers: { accept: ACCEPT },
    });
    return held.status === 404
      ? undefined
      : [
          400,
          errorBody('TAG_INVALID', 'the tag exists and cannot be overwritten because the tag is immutable'),
        ];
  };
  const front = createTlsServer({ cert: certificate, key }, async (asked, response) => {
    state.requests.push(`${asked.method} ${asked.url}`);
    const refused = await refusal(asked);
    if (refused === undefined) {
      const { authorization, ...headers } = asked.headers;
      return forward(asked, response, behind.host, { ...headers, 'x-forwarded-proto': 'https' });
    }
    asked.resume();
    const [status, body] = refused;
    response.writeHead(status, status === 401 ? { 'www-authenticate': 'Basic realm="ecr"' } : {}).end(body);
  });
  const [frontPort, apiPort, secureApiPort] = await Promise.all([front, api, secureApi].map(listen));
  const proxy = await startConnectProxy(
    new Map([
      [`${ECR_HOST}:443`, frontPort ?? 0],
      [`${API_HOST}:443`, secureApiPort ?? 0],
    ]),
  );
  return Object.assign(state, {
    api: `http://127.0.0.1:${apiPort}`,
    proxy: proxy.url,
    certificate: authority.certificate,
    expireTokens: () => {
      oldest = tokens + 1;
    },
    stop: async () => {
      await proxy.stop();
      for (const server of [api, secureApi, front]) {
        server.close();
        server.closeAllConnections();
      }
      await behind.stop();
    },
  });
}
