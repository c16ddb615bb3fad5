import type { Digest, Reference } from '../contract/brand.js';
import { isDigest } from './digest.js';

/** A repository of one registry: `host[:port]` and the path in it. */
export interface Repository {
  host: string;
  path: string;
}

export interface ParsedReference extends Repository {
  tag: string | null;
  digest: Digest | null;
}

// The grammar of distribution's `reference` package and of the OCI distribution spec, "Pulling manifests".
const HOST =
  /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[a-f0-9:]+\])(?::[0-9]{1,5})?$/i;
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
/** distribution's limit for host and path together. */
const MAX_NAME = 255;
/** A name, a tag and a digest; anything longer is refused before an expression looks at it. */
const MAX_REFERENCE = MAX_NAME + 1 + 128 + 1 + 71;

export const DOCKER_HUB = 'docker.io';
const HUB_ALIASES = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

/** One spelling for one host: lower case, and `docker.io` for Docker Hub's several names. */
export const canonicalHost = (text: string): string => {
  const host = text.toLowerCase();
  return HUB_ALIASES.has(host) ? DOCKER_HUB : host;
};

/** Whether the first part of a name is a host: a dot, a port or an upper-case letter, or `localhost` (docker's rule). */
const looksLikeHost = (part: string): boolean => /[.:[A-Z]/.test(part) || part === 'localhost';

/**
 * Whether this is `host[:port]`, in either case. What the URL parser reads as another host (`127.1`,
 * `0x7f.0.0.1`) or does not read (a port above 65535) is none: allow-lists and credentials compare hosts by their text.
 */
export function isHost(text: string): boolean {
  if (text.length > MAX_NAME || !HOST.test(text) || !URL.canParse(`https://${text}/`)) return false;
  return new URL(`https://${text}/`).hostname === text.toLowerCase().replace(/:[0-9]+$/, '');
}

/** Whether this can be a tag. */
export const isTag = (text: string): boolean => TAG.test(text);

export const isRepositoryPath = (text: string): boolean =>
  text.length <= MAX_NAME && text.split('/').every((part) => COMPONENT.test(part));

/**
 * Reads `[host[:port]/]path[:tag][@digest]`. A name without a host belongs to `defaultRegistry`, which may carry a
 * prefix (`host/prefix`); on Docker Hub a single-part path gets `library/`. No tag and no digest means `latest`.
 *
 * @throws Error with the fault, naming the reference (cut at 300 characters).
 */
export function parseReference(text: string, defaultRegistry: string = DOCKER_HUB): ParsedReference {
  const fail = (why: string): never => {
    throw new Error(`${JSON.stringify(text.slice(0, 300))} is not an image reference: ${why}`);
  };
  if (text.length > MAX_REFERENCE) return fail(`it is longer than ${MAX_REFERENCE} characters`);
  const at = text.indexOf('@');
  const digest = at < 0 ? null : text.slice(at + 1);
  const named = at < 0 ? text : text.slice(0, at);
  if (digest !== null && !isDigest(digest)) return fail('what follows @ is not a sha256 digest');
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const tag = colon < 0 ? null : named.slice(colon + 1);
  let name = colon < 0 ? named : named.slice(0, colon);
  if (tag !== null && !TAG.test(tag))
    return fail('the tag may have letters, digits, "_", "." and "-", at most 128');
  const first = name.split('/', 1)[0] ?? '';
  if (!name.includes('/') || !looksLikeHost(first)) name = `${defaultRegistry}/${name}`;
  const slash = name.indexOf('/');
  const host = canonicalHost(name.slice(0, slash));
  let path = name.slice(slash + 1);
  if (host === DOCKER_HUB && !path.includes('/')) path = `library/${path}`;
  if (!isHost(host)) return fail(`${JSON.stringify(host)} is not a host`);
  if (!isRepositoryPath(path))
    return fail('the repository may have lower-case letters, digits and single ". _ __ -" between them');
  if (host.length + 1 + path.length > MAX_NAME)
    return fail(`host and repository together may have ${MAX_NAME} characters`);
  return { host, path, tag: tag ?? (digest === null ? 'latest' : null), digest };
}

/** The canonical text: a digest wins over a tag. */
export function formatReference(reference: ParsedReference): Reference {
  const { host, path, tag, digest } = reference;
  const suffix = digest === null ? `:${tag ?? 'latest'}` : `@${digest}`;
  return `${host}/${path}${suffix}` as Reference; // the one place where a Reference is made
}

/** Reads what {@link formatReference} wrote. */
export const splitReference = (reference: Reference): ParsedReference => parseReference(reference);

/** The same repository at a digest. */
export const atDigest = (reference: Reference, digest: Digest): Reference =>
  formatReference({ ...splitReference(reference), tag: null, digest });

/** What follows the repository: the digest or the tag, as the registry's URLs want it. */
export const identifierOf = (reference: ParsedReference): string =>
  reference.digest ?? reference.tag ?? 'latest';
