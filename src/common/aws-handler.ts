import type { Readable } from 'node:stream';
import { type Connections, codeOf } from './network.js';

/** A request as AWS's SDK hands it to whoever sends it. */
interface AwsRequest {
  protocol: string;
  hostname: string;
  port?: number;
  method: string;
  path: string;
  query?: Record<string, string | string[] | null>;
  headers: Record<string, string>;
  /** The commands that we send carry nothing else. */
  body?: string | Uint8Array;
}

interface AwsResponse {
  statusCode: number;
  headers: Record<string, string>;
  body: Readable;
}

export interface AwsHandler {
  readonly metadata: { readonly handlerProtocol: string };
  handle(
    request: AwsRequest,
    options?: { abortSignal?: unknown; requestTimeout?: number },
  ): Promise<{ response: AwsResponse }>;
  destroy(): void;
  updateHttpClientConfig(): void;
  httpHandlerConfigs(): Record<string, never>;
}

/**
 * Sends what AWS's SDK asks over our own connections, so that its requests go by the same proxies and trust the same
 * authorities as all others. The SDK's own handler knows neither. Who made the connections closes them.
 *
 * @param idleMs how long there may be no byte in either direction; the SDK tries again then
 */
export function awsHandler(connections: Connections, idleMs: number): AwsHandler {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    handle: async (request, { abortSignal, requestTimeout = idleMs } = {}) => {
      const { protocol, hostname, port, method, headers, body } = request;
      const origin = new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`);
      try {
        const answer = await connections.to(origin).request({
          origin,
          // As it was signed, so not through the URL parser.
          path: `${request.path}${queryOf(request.query)}`,
          // The SDK's methods are those of HTTP, and undici's type has them one by one.
          method: method as 'GET',
          headers,
          body: body ?? null,
          headersTimeout: requestTimeout,
          bodyTimeout: idleMs,
          // The SDK's type has room for its own, older signals; we give it real ones.
          ...(abortSignal instanceof AbortSignal ? { signal: abortSignal } : {}),
        });
        // The SDK ends a body that it does not want after it has stopped listening, and that counts as an error.
        answer.body.on('error', () => {});
        const flat = Object.entries(answer.headers).map(([name, value]) => [name, [value].flat().join(', ')]);
        return {
          response: {
            statusCode: answer.statusCode,
            headers: Object.fromEntries(flat),
            body: answer.body,
          },
        };
      } catch (error) {
        throw inTermsOfAws(error);
      }
    },
    destroy: () => {},
    updateHttpClientConfig: () => {},
    httpHandlerConfigs: () => ({}),
  };
}

/** By name and code the SDK tells what is worth another attempt; it does not know undici's. */
function inTermsOfAws(error: unknown): unknown {
  const code = codeOf(error);
  if (/^UND_ERR_(?:CONNECT|HEADERS|BODY)_TIMEOUT$/.test(code))
    return Object.assign(new Error('no answer in time', { cause: error }), { name: 'TimeoutError' });
  // The other side has closed a connection that we meant to use again.
  if (code === 'UND_ERR_SOCKET')
    return Object.assign(new Error('the connection ended', { cause: error }), { code: 'ECONNRESET' });
  return error;
}

/** RFC 3986's unreserved characters stay: what was signed is escaped by the same rule. */
const escapeUri = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);

function queryOf(query: AwsRequest['query'] = {}): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    [value].flat().map((one) => escapeUri(name) + (one === null ? '' : `=${escapeUri(one)}`)),
  );
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}
