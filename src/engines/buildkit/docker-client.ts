import { Agent } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import { Duplex, Readable } from 'node:stream';
import { inspect } from 'node:util';
import Docker from 'dockerode';
import type { z } from 'zod';
import { collect } from '../../common/streams.js';
import { engineError, engineUnavailable, statusOf } from './docker-error.js';
import { type DockerSettings, dockerAddress, engineName } from './settings.js';

type Method = 'GET' | 'POST' | 'DELETE';

/** What dockerode's own calls are made of; its types leave it out. */
interface Modem {
  dial(
    options: {
      path: string;
      method: Method;
      statusCodes: Record<number, true>;
      options?: Record<string, unknown>;
      isStream?: boolean;
      file?: Readable;
      hijack?: boolean;
      headers?: Record<string, string>;
      abortSignal: AbortSignal;
    },
    callback: (error: Error | null, answer: unknown) => void,
  ): void;
}

export interface Call {
  signal: AbortSignal;
  query?: Record<string, string | number | boolean>;
  /** Sent as the body. */
  file?: Readable;
}

const SUCCESS: Record<number, true> = { 200: true, 201: true, 204: true };
/** An answer did not come to its end. */
export class TooLong extends Error {
  override readonly name = 'TooLong';
}

/** Node's errors of files name the path; those of sockets, also of Unix ones, do not. */
const isOfAFile = (error: unknown): boolean =>
  error instanceof Error && 'syscall' in error && 'path' in error;

/** Of a call whose answer is a few bytes or a list. */
const CALL_MS = 60_000;
const MAX_ANSWER_BYTES = 32 << 20;
/** A remote engine that vanished without a word is noticed by these. */
const PROBE_EVERY_MS = 30_000;

/**
 * docker-modem 5 describes each request for its debug log, whether anybody reads that or not, with all that can be reached
 * from it: through the signal of an activity and the agent's sockets that is half of the worker (measured: 10 s and 500 MB
 * for a call).
 */
const unseen = <T extends object>(value: T): T =>
  Object.defineProperty(value, inspect.custom, { value: () => 'left out' });

/**
 * One Docker Engine, by dockerode: every call can be cancelled, has a time limit or may be as long as it sends, and
 * throws FactoryErrors. It connects when the first call is made.
 */
export class DockerClient {
  /** For messages. */
  readonly name: string;
  readonly #settings: DockerSettings;
  #docker: Promise<Docker> | undefined;

  constructor(settings: DockerSettings) {
    this.#settings = settings;
    this.name = engineName(settings);
  }

  /** An answer in JSON. @throws FactoryError as {@link engineError} says */
  async json<T>(schema: z.ZodType<T>, method: Method, path: string, call: Call): Promise<T> {
    const signal = AbortSignal.any([call.signal, AbortSignal.timeout(CALL_MS)]);
    try {
      const bytes = await collect(await this.#stream(method, path, { ...call, signal }), MAX_ANSWER_BYTES);
      const parsed = schema.safeParse(bytes.length === 0 ? undefined : JSON.parse(bytes.toString('utf8')));
      if (parsed.success) return parsed.data;
      throw engineUnavailable(this.name, `another answer to ${method} ${path} than Docker's`, parsed.error);
    } catch (error) {
      call.signal.throwIfAborted();
      throw engineError(error, this.name);
    }
  }

  /** Like {@link json}, where 404 and 409 are answers too: undefined. */
  async jsonIfThere<T>(
    schema: z.ZodType<T>,
    method: Method,
    path: string,
    call: Call,
  ): Promise<T | undefined> {
    try {
      return await this.json(schema, method, path, call);
    } catch (error) {
      const status = error instanceof Error ? statusOf(error.cause) : undefined;
      if (status === 404 || status === 409) return undefined;
      throw error;
    }
  }

  /**
   * Has an answer read that may take long. @param limitMs of all of it
   * @throws FactoryError as {@link engineError} says; `TooLong`; what `read` throws of its own
   */
  async stream<T>(
    method: Method,
    path: string,
    { limitMs, ...call }: Call & { limitMs: number },
    read: (answer: Readable) => Promise<T>,
  ): Promise<T> {
    const limit = AbortSignal.timeout(limitMs);
    const signal = AbortSignal.any([call.signal, limit]);
    let answer: Readable | undefined;
    try {
      answer = await this.#stream(method, path, { ...call, signal });
      return await read(answer);
    } catch (error) {
      call.signal.throwIfAborted();
      if (limit.aborted) throw new TooLong(`no end within ${limitMs / 60_000} minutes`);
      if (isOfAFile(error)) throw error; // this worker's disk, where `read` writes to it
      throw engineError(error, this.name);
    } finally {
      answer?.destroy();
      call.file?.destroy();
    }
  }

  /**
   * The connection itself, once the daemon has switched it to HTTP/2 for gRPC.
   * @throws FactoryError as {@link engineError} says
   */
  async upgrade(path: string, signal: AbortSignal, headers: Record<string, string> = {}): Promise<Duplex> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error('no answer in time')), CALL_MS);
    try {
      const docker = await this.#open();
      const answer = await this.#dial(docker, {
        path,
        method: 'POST',
        hijack: true,
        headers: { ...headers, Upgrade: 'h2c' },
        statusCodes: {},
        abortSignal: AbortSignal.any([signal, late.signal]),
      });
      if (answer instanceof Duplex) return answer;
      throw new Error('the connection was not switched');
    } catch (error) {
      signal.throwIfAborted();
      throw engineError(late.signal.aborted ? late.signal.reason : error, this.name);
    } finally {
      clearTimeout(timer); // not a signal's own: that would end the connection later
    }
  }

  async #stream(method: Method, path: string, { signal, query, file }: Call): Promise<Readable> {
    signal.throwIfAborted();
    const docker = await this.#open();
    const answer = await this.#dial(docker, {
      path: query === undefined ? path : `${path}?`,
      method,
      isStream: true,
      statusCodes: SUCCESS,
      ...(query === undefined ? {} : { options: { _query: query, _body: {} } }), // else it is the body too
      ...(file === undefined ? {} : { file }),
      abortSignal: signal,
    });
    if (answer instanceof Readable) return answer;
    throw new Error(`no answer to ${method} ${path}`);
  }

  #dial(docker: Docker, options: Parameters<Modem['dial']>[0]): Promise<unknown> {
    const modem: Modem = docker.modem; // `any` in its types
    const abortSignal = unseen(AbortSignal.any([options.abortSignal]));
    return new Promise((resolve, reject) => {
      modem.dial({ ...options, abortSignal }, (error, answer) =>
        error === null ? resolve(answer) : reject(error),
      );
    });
  }

  #open(): Promise<Docker> {
    // Certificates may come later than the worker: what failed is tried again.
    this.#docker ??= this.#connect().catch((error: unknown) => {
      this.#docker = undefined;
      throw error;
    });
    return this.#docker;
  }

  async #connect(): Promise<Docker> {
    const address = await dockerAddress(this.#settings);
    // Connections are probed while they live, and none is kept: an engine that was started again has forgotten it.
    const options = { keepAlive: true, keepAliveMsecs: PROBE_EVERY_MS, maxFreeSockets: 0 };
    const agent = unseen(address.protocol === 'https' ? new TlsAgent(options) : new Agent(options));
    // Handed on to docker-modem, which knows more than dockerode's types tell.
    const known = { ...address, agent, timeout: 0, pathPrefix: '/', headers: {} };
    return new Docker(known);
  }
}
