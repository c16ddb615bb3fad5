import type { Authorizer } from './auth.js';
import { type Asked, classify, RegistryError, scrub } from './errors.js';
import type { Repository } from './reference.js';
import { type Answer, discard, type HttpRequest, readBody, type Transport, textOf } from './transport.js';

/** What a registry may say about an error before we stop listening. */
const ERROR_BODY_LIMIT = 64 * 1024;

/** A request to a registry's API, with the words and the rights for it. */
export interface Call extends Omit<HttpRequest, 'url'> {
  /** Below `/v2/`, or a whole URL that the registry gave us. */
  to: string | URL;
  repository: Repository;
  what: string;
  action: Asked['action'];
  /** A repository that must be readable as well, for a mount. */
  alsoPull?: Repository | undefined;
  /** The body can't be sent twice: after a 401 the login is renewed, and the 401 is the answer. */
  once?: boolean;
}

const scopesOf = ({ action, repository, alsoPull }: Call): string[] => [
  `repository:${repository.path}:${action === 'push' ? 'pull,push' : 'pull'}`,
  ...(alsoPull === undefined ? [] : [`repository:${alsoPull.path}:pull`]),
];

/** Requests with the login that they need. */
export class Exchange {
  readonly #transport: Transport;
  readonly #authorizer: Authorizer;

  constructor(transport: Transport, authorizer: Authorizer) {
    this.#transport = transport;
    this.#authorizer = authorizer;
  }

  /**
   * Sends, once more with a fresh login after a 401, and once more where that login has a successor. Any other status is
   * the caller's to judge.
   * @throws FactoryError as {@link Transport.send} and {@link Authorizer.challenged} do; the last 401 is classified
   */
  async send(call: Call): Promise<Answer> {
    const { host } = call.repository;
    const base = this.#transport.base(host);
    const url = typeof call.to === 'string' ? new URL(call.to, base) : call.to;
    const scopes = scopesOf(call);
    // An upload may be sent to another origin by its Location; our login is none of its business.
    const ours = url.origin === base.origin;
    const used = ours ? await this.#authorizer.header(host, scopes, call.signal) : undefined;
    const answer = await this.#transport.send(authorized(call, url, used));
    if (answer.status !== 401 || !ours || answer.elsewhere) return answer;
    const asked = answer.header('www-authenticate');
    if (asked === undefined) return answer;
    let renewed: string;
    try {
      renewed = await this.#authorizer.challenged(host, scopes, asked, used, call.signal);
    } catch (error) {
      discard(answer);
      throw error;
    }
    if (call.once) return answer;
    discard(answer);
    const second = await this.#transport.send(authorized(call, url, renewed));
    if (second.status !== 401 || second.elsewhere) return second;
    const next = await this.#authorizer.again(host, renewed);
    if (next === undefined) return second;
    discard(second);
    return this.#transport.send(authorized(call, url, next));
  }

  /** Counts bytes of a streamed body that have gone to a host, for the work that asks for the counter. */
  counter(host: string): (sent: number) => void {
    const count = this.#transport.manners.counter(host);
    return (sent) => count({ out: sent });
  }

  /** The error for an answer that is no success; reads what is left of it. */
  async failure(answer: Answer, call: Call): Promise<RegistryError> {
    const body = await readBody(answer, ERROR_BODY_LIMIT, call.signal).catch(() => {
      call.signal?.throwIfAborted();
      return undefined; // half an error message: the status says enough
    });
    const { host } = call.repository;
    if (answer.elsewhere && answer.status !== 404) {
      // A storage's refusal (a signed URL that ran out) says nothing about our rights at the registry.
      const message = `${scrub(answer.url.host)}, where ${host} sends us for ${call.what}, answered HTTP ${answer.status}: it is tried again`;
      return new RegistryError('RegistryUnavailable', message, { status: answer.status });
    }
    return classify(textOf(answer, body), { host, what: call.what, action: call.action });
  }
}

const authorized = (call: Call, url: URL, authorization: string | undefined): HttpRequest => ({
  method: call.method,
  url,
  headers: authorization === undefined ? call.headers : { ...call.headers, authorization },
  body: call.body,
  signal: call.signal,
  streaming: call.streaming,
});
