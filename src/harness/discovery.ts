import type { Reference } from '../contract/brand.js';
import type { DiscoveredImage, FieldRef, Infra } from '../contract/run.js';
import { assumeFollowed, type Followed } from './followed.js';
import { createImageFilter } from './image-filter.js';
import { locate, ownImages } from './image-location.js';
import type { FieldMap } from './schemas.js';

export interface InfraConfig {
  infra: Infra;
  /** What Harness ships. */
  default: FieldMap;
  /** The account's overrides alone. */
  customer: FieldMap;
  /** What earlier runs set from defaults; without it, every override that points into our registry. */
  followed?: Followed | undefined;
}

export interface DiscoveryInput {
  configs: readonly InfraConfig[];
  /**
   * `default`: what Harness ships. `customer`: the account's own overrides. With both, a version that someone pinned
   * wins for its field; one that an earlier run set from a default gives way to the default of today.
   */
  sources: readonly ('default' | 'customer')[];
  /** Lists of globs over field names and image repositories; each must match, an empty one matches everything. */
  includes: readonly (readonly string[])[];
  exclude: readonly string[];
  /** Images that no field names; they go through the same filters, by repository. */
  extraImages: readonly string[];
  /** `host[/prefix]`, best first: where names without a host are looked for. */
  sourceRegistries: readonly string[];
  /** Ours, `host[:port][/prefix]`. */
  registry: string;
}

/**
 * The distinct images behind the account's fields, sorted by name: one entry per source, with every field that names it.
 * Pure; what cannot be mirrored is returned too, with its `problem`.
 *
 * An override that points into our registry came from an earlier run: it is read as the source that it was made from.
 */
export function discover(input: DiscoveryInput): DiscoveredImage[] {
  const accepts = createImageFilter(input.includes, input.exclude);
  const restore = ownImages(input);
  const bySource = new Map<string, DiscoveredImage>();

  const add = (name: string, field: FieldRef | undefined): void => {
    if (!accepts(name, field?.field)) return;
    const location = locate(name, input.sourceRegistries, input.registry);
    const key = location.candidates.length > 0 ? location.candidates.join(' ') : name;
    const known = bySource.get(key);
    const fields = [...(known?.fields ?? []), ...(field === undefined ? [] : [field])];
    // Two spellings of one source (`x` and `docker.io/library/x`): the first in order names it, whatever came first.
    const first = known === undefined || compare(name, known.name) < 0 ? name : known.name;
    bySource.set(key, { ...location, name: first, fields });
  };

  for (const config of input.configs) {
    const own = Object.entries(config.customer).map(([field, value]) => [field, restore(value)] as const);
    const defaults = input.sources.includes('default') ? Object.entries(config.default) : [];
    const shipped = new Set(defaults.map(([field]) => field));
    const followed = config.followed ?? assumeFollowed(config.customer, input.registry);
    const pins = own.filter(([field]) => {
      const value = config.customer[field] ?? '';
      return !shipped.has(field) || followed.get(field)?.includes(value) !== true;
    });
    const values = new Map([...defaults, ...(input.sources.includes('customer') ? pins : [])]);
    for (const [field, name] of values) add(name, { infra: config.infra, field });
  }
  for (const name of input.extraImages) add(name, undefined);

  const images = [...bySource.values()].map((image) => ({ ...image, fields: sorted(image.fields) }));
  const byName = (a: DiscoveredImage, b: DiscoveredImage): number => compare(a.name, b.name);
  return withClashes(images.sort(byName)).sort(byName);
}

/** Two sources for one target would overwrite each other every night: neither is mirrored. */
function withClashes(images: DiscoveredImage[]): DiscoveredImage[] {
  const byTarget = new Map<Reference, DiscoveredImage[]>();
  for (const image of images) {
    if (image.target !== null) byTarget.set(image.target, [...(byTarget.get(image.target) ?? []), image]);
  }
  return images.flatMap((image) => {
    const group = image.target === null ? [] : (byTarget.get(image.target) ?? []);
    if (group.length < 2) return [image];
    const merged = merge(group);
    if (merged !== undefined) return image === group[0] ? [merged] : [];
    const names = group.map(({ name }) => name).join(' and ');
    const problem = `${names} are different sources and would both be pushed to ${image.target}; exclude all but one`;
    return [{ ...image, problem }];
  });
}

/**
 * One image of several that are looked for in the same places: with more than one source registry, `a/b` and
 * `docker.io/a/b` are two spellings. The one that is looked for in most places stands for all.
 *
 * @returns undefined when any two are different sources.
 */
function merge(group: readonly DiscoveredImage[]): DiscoveredImage | undefined {
  const finds = (a: DiscoveredImage, b: DiscoveredImage): boolean =>
    a.candidates.some((candidate) => candidate === b.candidates[0]);
  if (!group.every((a) => group.every((b) => finds(a, b) || finds(b, a)))) return undefined;
  const [widest] = [...group].sort((a, b) => b.candidates.length - a.candidates.length);
  return widest && { ...widest, fields: sorted(group.flatMap(({ fields }) => fields)) };
}

const sorted = (fields: readonly FieldRef[]): FieldRef[] =>
  [...fields].sort((a, b) => compare(a.infra, b.infra) || compare(a.field, b.field));

/** By code unit: the order must not depend on the worker's locale. */
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
