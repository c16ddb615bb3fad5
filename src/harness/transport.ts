import { type Dispatcher, request } from 'undici';
import { certificateFault } from '../common/certificates.js';
import { FactoryError, messageOf } from '../common/errors.js';
import { type Connections, codeOf } from '../common/network.js';
import { badAnswer, type CallContext, type HarnessAnswer } from './errors.js';
import { plain } from './text.js';

/** All of an account's fields are about 3 KB; a connector is 1 KB. */
const MAX_ANSWER_BYTES = 1 << 20;

export interface HarnessCall {
  method: 'GET' | 'POST';
  /** Below the gateway, with a leading `/`. */
  path: string;
  query: Readonly<Record<string, string>>;
  body?: unknown;
  /** What is asked, for messages: `the default images of K8`. */
  what: string;
  signal: AbortSignal | undefined;
}

export interface Endpoint {
  gateway: string;
  apiKey: string;
  timeoutMs: number;
  connections: Connections;
}

/** What messages say of a call. */
export const contextOf = ({ gateway, apiKey }: Endpoint, { what }: HarnessCall): CallContext => ({
  host: new URL(gateway).host,
  what,
  secret: apiKey,
});

/**
 * Sends one request and takes the answer as it comes, bounded in time and size. Redirects are not followed, since the
 * key would go along.
 *
 * @throws FactoryError `HarnessUnavailable`, `HarnessBadAnswer`, `HarnessUnauthorized` for what can't be a key; the
 *   signal's reason when it is aborted.
 */
export async function exchange(endpoint: Endpoint, call: HarnessCall): Promise<HarnessAnswer> {
  const context = contextOf(endpoint, call);
  // What HTTP allows in a header, and no key has: undici would fail on the rest with an error of its own.
  if (!/^[\x21-\x7e]+$/.test(endpoint.apiKey)) {
    throw new FactoryError(
      'HarnessUnauthorized',
      `The API key for Harness at ${context.host} is empty or has characters that no key has; check the secret it is read from.`,
    );
  }
  call.signal?.throwIfAborted();
  const timeout = AbortSignal.timeout(endpoint.timeoutMs);
  const signal = call.signal === undefined ? timeout : AbortSignal.any([call.signal, timeout]);
  const rethrow = (error: unknown): never => {
    if (error instanceof FactoryError) throw error;
    if (call.signal?.aborted) throw call.signal.reason;
    throw unreachable(signal.aborted ? `no answer within ${endpoint.timeoutMs / 1000} s` : error, context);
  };
  const url = new URL(`${endpoint.gateway}${call.path}?${new URLSearchParams(call.query)}`);
  const response = await request(url, {
    method: call.method,
    headers: {
      accept: 'application/json',
      'x-api-key': endpoint.apiKey,
      ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: call.body === undefined ? null : JSON.stringify(call.body),
    signal,
    dispatcher: endpoint.connections.to(url),
  }).catch(rethrow);
  const { statusCode: status } = response;
  const body = await read(response.body, context).catch((error: unknown) => {
    if (signal.aborted) return rethrow(error);
    // The status alone says enough of an error; of a success, the body is the answer.
    if (status < 200 || status > 299) return '';
    if (error instanceof FactoryError) throw error;
    throw badAnswer(context, `the answer broke off half-way (${reasonOf(error, context)})`);
  });
  const header = (name: string): string | undefined => {
    const value = response.headers[name];
    return Array.isArray(value) ? value[0] : value;
  };
  return { status, text: body, retryAfter: header('retry-after'), location: header('location') };
}

async function read(body: Dispatcher.ResponseData['body'], context: CallContext): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    // undici's body yields Buffers without an encoding
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw badAnswer(context, 'the answer is larger than 1 MiB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** @param why an error, or a reason in words */
function unreachable(why: unknown, context: CallContext): FactoryError {
  const asked = `Harness at ${context.host} could not be asked for ${context.what}`;
  const untrusted = certificateFault(codeOf(why));
  if (untrusted !== undefined) return new FactoryError('CertificateNotTrusted', `${asked}: ${untrusted}.`);
  return new FactoryError(
    'HarnessUnavailable',
    `${asked}: ${reasonOf(why, context)}; check the Harness URL and the network.`,
  );
}

/** A network error in a few words. Some have no message, only a code (several addresses tried). */
function reasonOf(error: unknown, { secret }: CallContext): string {
  const code = codeOf(error);
  if (code === 'ENOTFOUND') return 'its name is not known here (spelling, DNS, proxy settings)';
  return plain(messageOf(error) || code, secret, 120) || 'the connection failed';
}
