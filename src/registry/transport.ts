import type { Readable } from 'node:stream';
import { FactoryError } from '../common/errors.js';
import { Connections, codeOf, isLoopback } from '../common/network.js';
import { type AnswerText, networkError, parseRetryAfter } from './errors.js';
import { Manners } from './manners.js';
import { bareType } from './media-types.js';
import { receive } from './receive.js';
import { DOCKER_HUB } from './reference.js';
import type { ByteStream } from './types.js';

/** All in milliseconds. */
export interface Timeouts {
  connect: number;
  /** From the end of what we send to the first byte of the answer. */
  headers: number;
  /** The longest pause inside a body, in either direction. */
  idle: number;
  /** The whole of an exchange that moves little (manifest, token, HEAD). */
  small: number;
  /** From the last byte of an upload to its answer: the registry hashes and moves the blob meanwhile. */
  commit: number;
}

export const DEFAULT_TIMEOUTS: Timeouts = {
  connect: 10_000,
  headers: 30_000,
  idle: 60_000,
  small: 60_000,
  commit: 300_000,
};

export interface HttpRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  url: URL;
  headers?: Readonly<Record<string, string>>;
  body?: Buffer | string | AsyncIterable<Buffer>;
  signal?: AbortSignal | undefined;
  /** A body that may be large comes or goes: pauses are bounded, the whole is not. */
  streaming?: boolean;
}

export interface Answer {
  status: number;
  /** The first value of a header; `www-authenticate` is joined. Names in lower case. */
  header(name: string): string | undefined;
  body: ByteStream;
  /** Where the answer came from, after redirects. */
  url: URL;
  /** Whether a redirect led to another origin. */
  elsewhere: boolean;
}

/**
 * Connections to one host. A ceiling only, the callers bound what they do at once: what waits here for a free connection
 * spends its time limit waiting.
 */
const CONNECTIONS = 64;
const MAX_REDIRECTS = 5;
/** A wait that a host asks for is sat out here up to this length; a longer one is the caller's to plan. */
const SHORT_WAIT_MS = 5000;
const MAX_TRIES = 3;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** What is read of a body that nobody wants, rather than to end its connection and make another. */
const WORTH_READING = 64 * 1024;

/** Gives up what is left of a body. A short one is read to its end, so that the connection is used again. */
export function discard({ body }: Answer): void {
  const read = async (): Promise<void> => {
    let sum = 0;
    for await (const chunk of body) {
      sum += chunk.length;
      if (sum > WORTH_READING) return; // leaving the loop ends the body
    }
  };
  read().catch(() => {}); // nobody wants it
}

/**
 * HTTP as a registry client needs it: bounded and kept-alive connections, time limits, redirects that leak nothing.
 *
 * Loopback hosts and those in `insecureHosts` (`host[:port]`, as in references) are spoken to in plain HTTP, all others
 * in HTTPS; docker and crane treat loopback the same way. `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are honoured,
 * except for loopback.
 */
export class Transport {
  readonly #connections: Connections;
  readonly #insecure: ReadonlySet<string>;
  readonly #userAgent: string;
  /**
   * Origins that sent what was no answer. Those that answer a HEAD with a body are among them: what comes after it on
   * the same connection can't be read. To all others a connection is kept, as crane and Docker do; undici alone would end
   * it after each HEAD, at three times the cost (measured).
   */
  readonly #untidy = new Set<string>();
  readonly timeouts: Timeouts;
  readonly manners: Manners;

  constructor(options: {
    insecureHosts: readonly string[];
    userAgent: string;
    timeouts: Timeouts;
    manners?: Manners;
    /** Certificates to trust instead of Node's own, as `trusting` gives them. */
    ca?: readonly string[] | undefined;
  }) {
    this.timeouts = options.timeouts;
    this.manners = options.manners ?? new Manners();
    this.#insecure = new Set(options.insecureHosts.map((host) => host.toLowerCase()));
    this.#userAgent = options.userAgent;
    this.#connections = new Connections({
      ca: options.ca,
      connectMs: options.timeouts.connect,
      perHost: CONNECTIONS,
      inPlace: true,
    });
  }

  /** Where a host's API starts: `https://host/v2/`. */
  base(host: string): URL {
    const server = host === DOCKER_HUB ? 'registry-1.docker.io' : host;
    const url = new URL(`https://${server}/v2/`);
    return this.#insecure.has(host) || isLoopback(url.hostname) ? new URL(`http://${server}/v2/`) : url;
  }

  /**
   * One exchange, redirects of GET and HEAD followed (at most 5). `Authorization` goes to the first origin only, and a
   * redirect from HTTPS to HTTP is refused.
   *
   * @throws FactoryError `RegistryUnavailable`, `RegistryBadAnswer`, `RegistryRejected`; the signal's reason if it fired
   */
  async send(request: HttpRequest): Promise<Answer> {
    let { url } = request;
    let headers = { ...request.headers };
    let elsewhere = false;
    for (let hop = 0; ; hop++) {
      const answer = await this.#politely({ ...request, url, headers }, elsewhere);
      const location = answer.header('location');
      const follows = request.method === 'GET' || request.method === 'HEAD';
      if (!REDIRECTS.has(answer.status) || !follows || location === undefined) return answer;
      discard(answer);
      if (hop >= MAX_REDIRECTS)
        throw new FactoryError('RegistryRejected', `${request.url.host} redirects us without an end`);
      const next = resolveLocation(location, url);
      if (next.origin !== url.origin) {
        elsewhere = true;
        headers = Object.fromEntries(
          Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization'),
        );
      }
      url = next;
    }
  }

  /** One exchange when the host allows it, and again when it asks for a short wait and what we send can be sent twice. */
  async #politely(asked: HttpRequest, elsewhere: boolean): Promise<Answer> {
    const { url, method, body, signal } = asked;
    // Docker Hub counts GETs of manifests, not HEADs ("Usage and limits").
    const counts = method === 'GET' && url.pathname.includes('/manifests/');
    for (let tries = 1; ; tries++) {
      await this.manners.turn(url.host, counts, signal);
      const answer = await this.#exchange(asked, elsewhere);
      this.manners.learn(url.host, answer);
      const repeatable = isRepeatable(body);
      if (repeatable && body !== undefined) this.manners.counter(url.host)({ out: Buffer.byteLength(body) });
      const waitMs = parseRetryAfter(answer.header('retry-after'));
      const short = answer.status === 429 && waitMs !== undefined && waitMs <= SHORT_WAIT_MS;
      if (!repeatable || !short || tries >= MAX_TRIES) return answer;
      discard(answer);
    }
  }

  async #exchange(asked: HttpRequest, elsewhere: boolean, again = false): Promise<Answer> {
    const { url, signal: caller } = asked;
    caller?.throwIfAborted();
    const upload = asked.streaming === true && asked.body !== undefined;
    const count = this.manners.counter(url.host);
    try {
      const { statusCode, headers, body } = await receive(this.#connections.to(url), {
        origin: url.origin,
        path: url.pathname + url.search,
        method: asked.method,
        reset: asked.method === 'HEAD' && this.#untidy.has(url.origin),
        // Nobody may compress a body on the way: digests and sizes are those of the bytes as stored.
        headers: { 'user-agent': this.#userAgent, 'accept-encoding': 'identity', ...asked.headers },
        body: sendable(asked.body),
        signal: caller,
        wholeMs: asked.streaming ? undefined : this.timeouts.small,
        onBytes: (length) => count({ in: length }),
        headersTimeout: upload ? this.timeouts.commit : this.timeouts.headers,
        idleMs: this.timeouts.idle,
      });
      const header = (name: string): string | undefined => {
        const value = headers[name];
        return Array.isArray(value) ? (name === 'www-authenticate' ? value.join(', ') : value[0]) : value;
      };
      return { status: statusCode, header, body, url, elsewhere };
    } catch (error) {
      caller?.throwIfAborted();
      if (codeOf(error).startsWith('HPE_')) {
        this.#untidy.add(url.origin);
        if (!again && isRepeatable(asked.body)) return this.#exchange(asked, elsewhere, true);
      }
      throw networkError(error, url.host);
    }
  }

  /** Ends all connections, also those with a transfer under way. */
  async close(): Promise<void> {
    await this.#connections.close();
  }
}

const isRepeatable = (body: HttpRequest['body']): body is Buffer | string | undefined =>
  body === undefined || typeof body === 'string' || Buffer.isBuffer(body);

/** undici's types ask for a stream; it takes any iterable, and pulls the next buffer when the one before is with the system. */
const sendable = (body: HttpRequest['body']) => body as Buffer | string | Readable | undefined;

/**
 * A `Location`, which may be relative (RFC 9110, 10.2.2), as a URL without user information.
 * @throws FactoryError `RegistryRejected` on a step from HTTPS to HTTP, `RegistryBadAnswer` when it is no HTTP URL
 */
export function resolveLocation(location: string, base: URL): URL {
  const url = URL.canParse(location, base.href) ? new URL(location, base) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username || url.password)
    throw new FactoryError('RegistryBadAnswer', `${base.host} answered with a Location that is no plain URL`);
  if (base.protocol === 'https:' && url.protocol === 'http:')
    throw new FactoryError(
      'RegistryRejected',
      `${base.host} sends us from HTTPS to plain HTTP at ${url.host}, which we refuse: set its external URL to https (behind a proxy: X-Forwarded-Proto)`,
    );
  return url;
}

/**
 * A body of at most `limit` bytes; undefined when it is longer, and then the rest is not read.
 * @throws FactoryError `RegistryUnavailable` when it breaks off; the signal's reason if it fired
 */
export async function readBody(
  answer: Answer,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    if (Number(answer.header('content-length') ?? 0) > limit) {
      discard(answer);
      return undefined;
    }
    for await (const chunk of answer.body) {
      size += chunk.length;
      if (size > limit) return undefined; // leaving the loop ends the body
      chunks.push(Buffer.from(chunk));
    }
    return Buffer.concat(chunks);
  } catch (error) {
    signal?.throwIfAborted();
    throw networkError(error, answer.url.host);
  }
}

/** An answer and its body as `classify` wants them. */
export const textOf = (answer: Answer, body: Buffer | undefined): AnswerText => ({
  status: answer.status,
  body: body?.toString('utf8') ?? '',
  contentType: bareType(answer.header('content-type')),
  retryAfter: answer.header('retry-after'),
});
