import { messageOf } from '../common/errors.js';
import type { Reference } from '../contract/brand.js';
import type { DiscoveredImage } from '../contract/run.js';
import { formatReference, parseReference } from '../registry/reference.js';
import type { DiscoveryInput } from './discovery.js';

type Location = Pick<DiscoveredImage, 'candidates' | 'target' | 'problem'>;

/** Stands for "no host in the name": RFC 2606 keeps `.invalid` from ever being one. */
const NO_HOST = 'none.invalid';
const HUB = 'docker.io';

/** Where an image may be found, and where its copy belongs. */
export function locate(name: string, sourceRegistries: readonly string[], registry: string): Location {
  try {
    const parsed = parseReference(name, NO_HOST);
    const prefixes = parsed.host === NO_HOST ? sourceRegistries.map(trimmed) : [parsed.host];
    const found = prefixes.map((prefix) => formatReference(parseReference(name, prefix)));
    if (parsed.tag === null) {
      const problem = `${name} names a digest and no tag, so there is no tag to push it to; add one (repository:tag@digest)`;
      return { candidates: unique(found), target: null, problem };
    }
    const target = targetOf(parsed.host, parsed.path, parsed.tag, registry);
    // Our own copy is never its own source: it would be labelled again each night.
    const candidates = unique(found).filter((candidate) => candidate !== target);
    if (candidates.length > 0) return { candidates, target };
    const problem = `${name} would be pushed onto itself, ${target}; choose another registry, prefix or source registry`;
    return { candidates, target, problem };
  } catch (error) {
    return { candidates: [], target: null, problem: messageOf(error) };
  }
}

/** What follows `<registry>/` in a value; undefined for images of others. Hosts do not differ by case. */
export function belowRegistry(value: string, registry: string): string | undefined {
  const [host = '', ...path] = trimmed(registry).split('/');
  const belowHost = [...path, ''].join('/');
  const slash = value.indexOf('/');
  const below = value.slice(slash + 1);
  const same = value.slice(0, slash).toLowerCase() === host.toLowerCase() && below.startsWith(belowHost);
  return same ? below.slice(belowHost.length) : undefined;
}

/** Where the copy behind an override is or belongs: for one of ours, itself. Null when the value can't be read. */
export const targetOfValue = (value: string, registry: string): Reference | null =>
  locate(belowRegistry(value, registry) ?? value, [], registry).target;

/** The Hub's `library/` is implied where people write `alpine`, so it is not carried over. */
function targetOf(host: string, path: string, tag: string, registry: string): Reference {
  const official = host === NO_HOST || host === HUB ? /^library\/([^/]+)$/.exec(path)?.[1] : undefined;
  return formatReference(parseReference(`${trimmed(registry)}/${official ?? path}:${tag}`));
}

/**
 * Maps overrides that an earlier run set back to the names of their sources. A copy keeps no trace of a source's host in
 * its name, so the names at hand are tried first; else what follows our prefix is the name.
 */
export function ownImages(
  input: Pick<DiscoveryInput, 'configs' | 'extraImages' | 'sourceRegistries' | 'registry'>,
): (value: string) => string {
  const ours = (value: string): string | undefined => belowRegistry(value, input.registry);
  const byTarget = new Map<Reference, string>();
  for (const name of [
    ...input.configs.flatMap((config) => [
      ...Object.values(config.default),
      ...Object.values(config.customer),
    ]),
    ...input.extraImages,
  ]) {
    const { target } = locate(name, input.sourceRegistries, input.registry);
    if (ours(name) === undefined && target !== null && !byTarget.has(target)) byTarget.set(target, name);
  }
  return (value) => {
    const rest = ours(value);
    if (rest === undefined) return value;
    const { target } = locate(rest, input.sourceRegistries, input.registry);
    return (target === null ? undefined : byTarget.get(target)) ?? rest;
  };
}

const trimmed = (registry: string): string => registry.replace(/\/+$/, '');
const unique = (references: Reference[]): Reference[] => [...new Set(references)];
