import type { Readable } from 'node:stream';
import { request } from 'undici';
import { FactoryError } from '../common/errors.js';
import { Connections, isLoopback } from '../common/network.js';
import { type AnswerText, networkError, parseRetryAfter } from './errors.js';
import { Manners } from './manners.js';
import { bareType } from './media-types.js';
import { DOCKER_HUB } from './reference.js';

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
  body: Readable;
  /** To be told how many bytes of the body have come, by whoever reads it. */
  received(bytes: number): void;
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
  body.on('error', () => {}); // ending it early counts as an error
  let read = 0;
  body.on('data', (chunk: Buffer) => {
    read += chunk.length;
    if (read > WORTH_READING) body.destroy();
  });
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
      const repeatable = body === undefined || typeof body === 'string' || Buffer.isBuffer(body);
      if (repeatable && body !== undefined) this.manners.counter(url.host)({ out: Buffer.byteLength(body) });
      const waitMs = parseRetryAfter(answer.header('retry-after'));
      const short = answer.status === 429 && waitMs !== undefined && waitMs <= SHORT_WAIT_MS;
      if (!repeatable || !short || tries >= MAX_TRIES) return answer;
      discard(answer);
    }
  }

  async #exchange(asked: HttpRequest, elsewhere: boolean): Promise<Answer> {
    const { url, signal: caller } = asked;
    caller?.throwIfAborted();
    const limits = asked.streaming ? [] : [AbortSignal.timeout(this.timeouts.small)];
    const signal = AbortSignal.any([...(caller ? [caller] : []), ...limits]);
    const upload = asked.streaming === true && asked.body !== undefined;
    try {
      const { statusCode, headers, body } = await request(url, {
        method: asked.method,
        // Nobody may compress a body on the way: digests and sizes are those of the bytes as stored.
        headers: { 'user-agent': this.#userAgent, 'accept-encoding': 'identity', ...asked.headers },
        body: sendable(asked.body),
        signal,
        dispatcher: this.#connections.to(url),
        headersTimeout: upload ? this.timeouts.commit : this.timeouts.headers,
        bodyTimeout: this.timeouts.idle,
      });
      const header = (name: string): string | undefined => {
        const value = headers[name];
        return Array.isArray(value) ? (name === 'www-authenticate' ? value.join(', ') : value[0]) : value;
      };
      const count = this.manners.counter(url.host);
      const received = (bytes: number): void => count({ in: bytes });
      return { status: statusCode, header, body, received, url, elsewhere };
    } catch (error) {
      caller?.throwIfAborted();
      throw networkError(error, url.host);
    }
  }

  /** Ends all connections, also those with a transfer under way. */
  async close(): Promise<void> {
    await this.#connections.close();
  }
}

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
      answer.received(chunk.length);
      if (size > limit) return undefined; // leaving the loop destroys the body
      chunks.push(chunk);
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
