import { type Dispatcher, request } from 'undici';
import { FactoryError, messageOf } from '../common/errors.js';
import { isLoopback, proxyDispatcher } from '../common/network.js';
import { type CallContext, failureOf, type HarnessAnswer, pageInstead, parseJson } from './errors.js';
import { envelopeSchema } from './schemas.js';
import { htmlTitle, plain } from './text.js';

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
}

/**
 * One call, no second try: retries in time are the caller's.
 *
 * @returns `data` of the answer's envelope, still to be checked.
 * @throws FactoryError of a `Harness…` type; the signal's reason when it is aborted.
 */
export async function callHarness(endpoint: Endpoint, call: HarnessCall): Promise<unknown> {
  const context = contextOf(endpoint, call);
  const answer = await exchange(endpoint, call);
  if (answer.status < 200 || answer.status > 299) throw failureOf(answer, context);
  const title = htmlTitle(answer.text, context.secret);
  if (title !== undefined) throw pageInstead(answer.status, title, context);
  const envelope = envelopeSchema.safeParse(parseJson(answer.text));
  if (!envelope.success) throw badAnswer(context, 'what came is not whole JSON of the documented shape');
  const { status, data } = envelope.data;
  // A refusal in an envelope under HTTP 200 is still one.
  if (status !== undefined && status !== 'SUCCESS') throw failureOf({ ...answer, status: 400 }, context);
  return data;
}

const contextOf = ({ gateway, apiKey }: Endpoint, { what }: HarnessCall): CallContext => ({
  host: new URL(gateway).host,
  what,
  secret: apiKey,
});

/** An answer that can't be used as it is. */
export function badAnswer({ host, what }: Pick<CallContext, 'host' | 'what'>, why: string): FactoryError {
  return new FactoryError('HarnessBadAnswer', `${host} answered ${what}, but ${why}.`);
}

let proxy: Dispatcher | undefined;

/** Through the environment's proxy, if it has one; made once, since it keeps its connections. */
function wayTo(gateway: string): Dispatcher | undefined {
  if (isLoopback(new URL(gateway).hostname)) return undefined;
  proxy ??= proxyDispatcher();
  return proxy;
}

/**
 * Sends one request and takes the answer as it comes, bounded in time and size. Redirects are not followed, since the
 * key would go along.
 *
 * @throws FactoryError `HarnessUnavailable`, `HarnessBadAnswer`, `HarnessUnauthorized` for what can't be a key; the
 *   signal's reason when it is aborted.
 */
export async function exchange(endpoint: Endpoint, call: HarnessCall): Promise<HarnessAnswer> {
  const context = contextOf(endpoint, call);
  const { host, what } = context;
  // What HTTP allows in a header, and no key has: undici would fail on the rest with an error of its own.
  if (!/^[\x21-\x7e]+$/.test(endpoint.apiKey)) {
    throw new FactoryError(
      'HarnessUnauthorized',
      `The API key for Harness at ${host} is empty or has characters that no key has; check the secret it is read from.`,
    );
  }
  call.signal?.throwIfAborted();
  const timeout = AbortSignal.timeout(endpoint.timeoutMs);
  const signal = call.signal === undefined ? timeout : AbortSignal.any([call.signal, timeout]);
  const rethrow = (error: unknown): never => {
    if (error instanceof FactoryError) throw error;
    if (call.signal?.aborted) throw call.signal.reason;
    const why = signal.aborted ? `no answer within ${endpoint.timeoutMs / 1000} s` : reasonOf(error, context);
    throw new FactoryError(
      'HarnessUnavailable',
      `Harness at ${host} could not be asked for ${what}: ${why}; check the Harness URL and the network.`,
    );
  };
  const query = new URLSearchParams(call.query);
  const dispatcher = wayTo(endpoint.gateway);
  const response = await request(`${endpoint.gateway}${call.path}?${query}`, {
    method: call.method,
    headers: {
      accept: 'application/json',
      'x-api-key': endpoint.apiKey,
      ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: call.body === undefined ? null : JSON.stringify(call.body),
    signal,
    ...(dispatcher === undefined ? {} : { dispatcher }),
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

/** A network error in a few words. Some have no message, only a code (several addresses tried). */
function reasonOf(error: unknown, { secret }: CallContext): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOTFOUND') return 'its name is not known here (spelling, DNS, proxy settings)';
  return plain(messageOf(error) || code, secret, 120) || 'the connection failed';
}
