import { FactoryError } from '../common/errors.js';
import { isLoopback } from '../common/network.js';

const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i;

/**
 * The gateway of a Harness URL in any of the forms people have: a bare host, with `/gateway`, with
 * `/gateway/api/graphql`, with slashes behind, self-managed with a port or below a path.
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
  const parts = url.pathname.split('/').filter(Boolean);
  const gateway = parts.indexOf('gateway');
  if (gateway >= 0) parts.splice(gateway);
  else if (parts.slice(-2).join('/') === 'api/graphql') parts.splice(-2);
  return [`${url.protocol}//${url.host}`, ...parts, 'gateway'].join('/');
}

/** Whether a Harness URL names the GraphQL endpoint, which is then asked first. */
export const namesGraphql = (text: string): boolean => /\/graphql\/*$/i.test(text.trim());

/** The account that a personal or a service account's key belongs to; undefined when the text is no such key. */
export const accountOf = (apiKey: string): string | undefined =>
  /^[ps]at\.([A-Za-z0-9_-]+)\../.exec(apiKey.trim())?.[1];
