import { type Dispatcher, EnvHttpProxyAgent } from 'undici';
import { FactoryError } from './errors.js';

/** localhost, 127.0.0.0/8 and [::1], as the URL parser writes them: what never leaves the machine. */
export const isLoopback = (hostname: string): boolean =>
  /^(?:localhost|.+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);

const PROXY_VARIABLES = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY'];

/**
 * The way out through `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, as the environment has them.
 *
 * @returns undefined when no proxy is named: the caller's own agent will do.
 * @throws FactoryError `InvalidInput` when a proxy is no URL; it is not echoed, since it may hold a password.
 */
export function proxyDispatcher(options: EnvHttpProxyAgent.Options = {}): Dispatcher | undefined {
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
