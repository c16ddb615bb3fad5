import { FactoryError } from '../common/errors.js';
import { isLoopback } from '../common/network.js';

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i;

/**
 * The gateway of a Harness URL in any of the forms people have: a bare host, with `/gateway`, with
 * `/gateway/api/graphql`, a page of the UI, with slashes behind, self-managed with a port or below a path.
 *
 * @param options.allowPlain take `http://` for hosts other than this machine; the key then crosses the network in clear.
 * @returns `https://host[:port][/path]/gateway`
 * @throws FactoryError `InvalidInput`; credentials in the URL are not echoed.
 */
export function normaliseGateway(text: string, options: { allowPlain?: boolean } = {}): string {
  const refuse = (why: string): never => {
    throw new FactoryError(
      'InvalidInput',
      `The Harness URL ${why}; write it like https://app.harness.io/gateway.`,
    );
  };
  const given = text.trim();
  const scheme = SCHEME.exec(given)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== 'https' && scheme !== 'http')
    refuse('is neither https:// nor http://');
  const whole = scheme === undefined ? `https://${given}` : given;
  if (given === '' || !URL.canParse(whole)) refuse('cannot be read');
  const url = new URL(whole);
  if (url.username !== '' || url.password !== '') refuse('has credentials in it');
  if (/[?#]/.test(given)) refuse('has a query or a fragment');
  if (url.protocol === 'http:' && !isLoopback(url.hostname) && options.allowPlain !== true) {
    refuse(`is plain HTTP (${url.host}), which would send the API key in clear`);
  }
  return [`${url.protocol}//${url.host}`, ...prefixOf(url.pathname), 'gateway'].join('/');
}

/** The path below which a self-managed installation lives, without what people copy along with it. */
function prefixOf(pathname: string): string[] {
  const parts = pathname.split('/').filter(Boolean);
  const gateway = parts.lastIndexOf('gateway');
  if (gateway >= 0) return parts.slice(0, gateway);
  // A page of the UI, out of the browser's address bar.
  const page = parts.findIndex((part, index) => part === 'ng' && parts[index + 1] === 'account');
  if (page >= 0) return parts.slice(0, page);
  if (parts.at(-1) !== 'graphql') return parts;
  return parts.slice(0, parts.at(-2) === 'api' ? -2 : -1);
}

/** Whether a Harness URL names the GraphQL endpoint, which is then asked first. */
export const namesGraphql = (text: string): boolean => /\/graphql\/*$/.test(text.trim());

/** The account that a personal or a service account's key belongs to; undefined when the text is no such key. */
export const accountOf = (apiKey: string): string | undefined =>
  /^[ps]at\.([A-Za-z0-9_-]+)\../.exec(apiKey.trim())?.[1];
