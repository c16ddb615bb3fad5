import { FactoryError } from '../common/errors.js';
import { isLoopback } from '../common/network.js';
import type { HarnessTarget } from '../contract/run.js';
import { parseReference } from '../registry/reference.js';
import type { WorkerEnvironment } from './environment.js';
import { isBelow, normaliseHost, readRegistryPrefix } from './registry-prefix.js';
import { isAllowedSecret } from './secret.js';

/**
 * Where this worker lets its secrets go. Whoever can start a workflow chooses the input, so these are asked when a run
 * is resolved and again by every activity that is about to use a secret (design, decision 9).
 */
export interface AllowLists {
  /** `host[:port]`, equal as a whole. */
  harnessHost(host: string): boolean;
  /** Why the key may not be sent to a gateway's URL (host or plain HTTP); undefined when it may. */
  harnessFault(gateway: string): string | undefined;
  /** `host[:port][/path]`, on path boundaries. */
  registry(prefix: string): boolean;
  /** `env:NAME` or `file:/path`. */
  secret(reference: string): boolean;
  /** @throws FactoryError `NotAllowed` when the key may not be used, or not be sent to that address. */
  assertHarness(harness: HarnessTarget): void;
  /** @throws FactoryError `NotAllowed` when nothing may be pushed to that reference. */
  assertTarget(reference: string): void;
}

const HTTP = 'http://';
/** Said when a secret is not on the list; which it was is left out, since it may be the key itself. */
const SECRET_FAULT =
  'this worker does not allow the secret that harnessApiKeySecret names: use one that ALLOWED_SECRETS has, or add it there';

/** `host[:port]` of an address that may lack a scheme, with `http://` kept in front. */
function originOf(address: string): string | undefined {
  try {
    const url = new URL(/^[a-z]+:\/\//i.test(address) ? address : `https://${address}`);
    return url.protocol === 'http:' ? `${HTTP}${url.host}` : url.host;
  } catch {
    return undefined; // resolving a run names this fault
  }
}

type Lists = Pick<
  WorkerEnvironment,
  'allowedHarnessHosts' | 'allowedRegistries' | 'allowedSecrets' | 'inputDefaults'
>;

/** The worker's lists, with the design's defaults where it sets none. */
export function createAllowLists(environment: Lists): AllowLists {
  const { harnessUrl: ownUrl, registry: ownText } = environment.inputDefaults;
  const ownOrigin = ownUrl === undefined ? undefined : originOf(ownUrl);
  const origins = environment.allowedHarnessHosts?.map((entry) => originOf(entry) ?? entry) ?? [
    'app.harness.io',
    ...(ownOrigin === undefined ? [] : [ownOrigin]),
  ];
  const hosts = new Set(origins.map((origin) => origin.replace(HTTP, '')));
  const own = ownText === undefined ? undefined : readRegistryPrefix(ownText);
  // A REGISTRY that can't be read allows nothing, rather than everything.
  const registries =
    environment.allowedRegistries ?? (own === undefined ? null : 'prefix' in own ? [own.prefix] : []);

  const harnessHost = (host: string): boolean => hosts.has(host.toLowerCase());
  const registry = (prefix: string): boolean => {
    const [first = '', ...rest] = prefix.split('/');
    const host = normaliseHost(first);
    if (host === undefined) return false;
    const name = [host, ...rest].join('/');
    return registries === null || registries.some((allowed) => isBelow(name, allowed));
  };
  const secret = (reference: string): boolean => isAllowedSecret(reference, environment.allowedSecrets);
  const harnessFault = (gateway: string): string | undefined => {
    const origin = originOf(gateway);
    const host = origin?.replace(HTTP, '') ?? '';
    if (origin === undefined || !harnessHost(host))
      return `this worker does not send its API key to ${host || 'that address'}: add the host to ALLOWED_HARNESS_HOSTS if it is Harness`;
    if (origin.startsWith(HTTP) && !isLoopback(host.replace(/:\d+$/, '')) && !origins.includes(origin))
      return `this worker does not send its API key to ${host} over plain HTTP: use https, or allow http://${host} in ALLOWED_HARNESS_HOSTS`;
    return undefined;
  };
  return {
    harnessHost,
    harnessFault,
    registry,
    secret,
    assertHarness({ gateway, apiKeySecret }) {
      const why = harnessFault(gateway) ?? (secret(apiKeySecret) ? undefined : SECRET_FAULT);
      if (why !== undefined) throw new FactoryError('NotAllowed', why);
    },
    assertTarget(reference) {
      const { host, path } = parseReference(reference);
      if (!registry(`${host}/${path}`))
        throw new FactoryError(
          'NotAllowed',
          `this worker does not push to ${host}/${path}: add its registry to ALLOWED_REGISTRIES if it may`,
        );
    },
  };
}
