import { isHost, isRepositoryPath } from '../registry/reference.js';

/** Docker Hub's other names; one registry must have one spelling, or allow-lists and targets disagree. */
const HUB_ALIASES = new Set(['index.docker.io', 'registry-1.docker.io']);

/** Room that is left for `<image's repository>` below the prefix; distribution allows 255 for all of it. */
const MAX_PREFIX = 150;

/** Whether a host carries a port out of range; the reference grammar only counts digits. */
const badPort = (host: string): boolean => {
  const port = /:(\d+)$/.exec(host)?.[1];
  return port !== undefined && (Number(port) < 1 || Number(port) > 65_535);
};

/** Reads a host as a registry has it: lower case, one spelling for Docker Hub; undefined when it is none. */
export function normaliseHost(text: string): string | undefined {
  const host = text.toLowerCase();
  if (!isHost(host) || badPort(host)) return undefined;
  return HUB_ALIASES.has(host) ? 'docker.io' : host;
}

/**
 * Reads `host[:port][/prefix]` into its one spelling: lower-case host, no slash at the end.
 *
 * @returns the prefix, or a fault that does not echo the text (it may carry a password).
 */
export function readRegistryPrefix(text: string): { prefix: string } | { fault: string } {
  if (text.includes('://')) return { fault: 'must be host[:port][/prefix], without https://' };
  const trimmed = text.replace(/\/$/, '');
  if (trimmed.length > MAX_PREFIX) return { fault: `is longer than ${MAX_PREFIX} characters` };
  const slash = trimmed.indexOf('/');
  const first = slash < 0 ? trimmed : trimmed.slice(0, slash);
  // Docker's rule: without a dot or a port, the first part is a name on Docker Hub, not a host.
  if (!/[.:[]/.test(first) && first.toLowerCase() !== 'localhost')
    return { fault: 'must begin with a host: a name with a dot or a port, or localhost' };
  const host = normaliseHost(first);
  if (host === undefined) return { fault: 'does not begin with a valid host[:port]' };
  if (slash < 0) return { prefix: host };
  const path = trimmed.slice(slash + 1);
  if (!isRepositoryPath(path))
    return {
      fault: 'the part after the host may have lower-case letters, digits, and single . _ - / between',
    };
  return { prefix: `${host}/${path}` };
}

/** Whether `name` is `prefix` or lies below it, on a path boundary: `r/ci` has `r/ci/x`, not `r/cix`. */
export const isBelow = (name: string, prefix: string): boolean =>
  name === prefix || name.startsWith(`${prefix}/`);
