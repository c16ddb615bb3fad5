import { createSecureContext, type SecureContext } from 'node:tls';
import { Agent, type Dispatcher, EnvHttpProxyAgent } from 'undici';
import { FactoryError } from './errors.js';
import { inPlaceAgent } from './in-place.js';

/** localhost, 127.0.0.0/8 and [::1], as the URL parser writes them: what never leaves the machine. */
export const isLoopback = (hostname: string): boolean =>
  /^(?:localhost|.+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);

export interface ConnectionOptions {
  /** Certificates to trust instead of Node's own, as `trusting` gives them. */
  ca?: readonly string[] | undefined;
  /** How long a connection may take to stand; undici's 10 s when absent. */
  connectMs?: number;
  /** Ceiling of connections to one host; none when absent. */
  perHost?: number;
  /** For those who copy what they receive at once: see {@link inPlaceAgent}. Not for what a proxy brings. */
  inPlace?: boolean;
}

/**
 * The connections of one client: straight to hosts of this machine, to all others through `HTTPS_PROXY`, `HTTP_PROXY`
 * and `NO_PROXY` as the environment has them.
 */
export class Connections {
  readonly #direct: Agent;
  readonly #outside: Dispatcher;

  /** @throws FactoryError `InvalidInput` when a proxy is no URL; it is not echoed, since it may hold a password. */
  constructor({ ca, connectMs, perHost, inPlace }: ConnectionOptions = {}) {
    const trust = ca === undefined ? {} : { secureContext: contextOf(ca) };
    const options = {
      ...(perHost === undefined ? {} : { connections: perHost }),
      connect: { ...(connectMs === undefined ? {} : { timeout: connectMs }), ...trust },
      requestTls: trust, // to the host, through a proxy
      proxyTls: trust,
    };
    this.#direct = inPlace ? inPlaceAgent(options) : new Agent(options);
    this.#outside = proxyOf(options) ?? this.#direct;
  }

  /** What a request to this host goes by. */
  to({ hostname }: URL): Dispatcher {
    return isLoopback(hostname) ? this.#direct : this.#outside;
  }

  /** Ends all connections, also those with a transfer under way. */
  async close(): Promise<void> {
    await Promise.all([this.#direct.destroy(), this.#outside.destroy()]);
  }
}

/** Reading 150 certificates takes 22 ms (measured), which each connection would pay by itself. */
const contexts = new WeakMap<readonly string[], SecureContext>();

function contextOf(ca: readonly string[]): SecureContext {
  const context = contexts.get(ca) ?? createSecureContext({ ca: [...ca] });
  contexts.set(ca, context);
  return context;
}

const PROXY_VARIABLES = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY'];

/** Undefined when no proxy is named. */
function proxyOf(options: EnvHttpProxyAgent.Options): Dispatcher | undefined {
  if (!PROXY_VARIABLES.some((name) => process.env[name])) return undefined;
  try {
    return new EnvHttpProxyAgent(options);
  } catch {
    throw new FactoryError(
      'InvalidInput',
      'HTTPS_PROXY or HTTP_PROXY is not a URL (http://host:port): correct it',
    );
  }
}

/** What kind of network error it is: the system's or undici's code, of the error or of what caused it; else empty. */
export const codeOf = (error: unknown): string => {
  for (let depth = 0, inner = error; depth < 4 && inner instanceof Error; depth++, inner = inner.cause) {
    if ('code' in inner && typeof inner.code === 'string') return inner.code;
    if (inner.name === 'TimeoutError') return inner.name;
    if (inner.name === 'HTTPParserError') return 'HPE_INVALID'; // undici 7 loses the code
  }
  return '';
};
