import type { Reference } from '../contract/brand.js';
import type { DiscoveredImage, FieldRef, Infra } from '../contract/run.js';
import { createImageFilter } from './image-filter.js';
import { locate, ownImages } from './image-location.js';
import type { FieldMap } from './schemas.js';

export interface InfraConfig {
  infra: Infra;
  /** What Harness ships. */
  default: FieldMap;
  /** The account's overrides alone. */
  customer: FieldMap;
}

export interface DiscoveryInput {
  configs: readonly InfraConfig[];
  /**
   * `default`: what Harness ships. `customer`: the account's own overrides, which win for their field, so that a
   * version that someone pinned is kept.
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
    const values = new Map([
      ...(input.sources.includes('default') ? Object.entries(config.default) : []),
      ...(input.sources.includes('customer') ? own : []),
    ]);
    for (const [field, name] of values) add(name, { infra: config.infra, field });
  }
  for (const name of input.extraImages) add(name, undefined);

  const images = [...bySource.values()].sort((a, b) => compare(a.name, b.name));
  for (const { fields } of images) {
    fields.sort((a, b) => compare(a.infra, b.infra) || compare(a.field, b.field));
  }
  return withClashes(images);
}

/** Two sources for one target would overwrite each other every night: neither is mirrored. */
function withClashes(images: DiscoveredImage[]): DiscoveredImage[] {
  const byTarget = new Map<Reference, string[]>();
  for (const { target, name } of images) {
    if (target !== null) byTarget.set(target, [...(byTarget.get(target) ?? []), name]);
  }
  return images.map((image) => {
    const names = image.target === null ? [] : (byTarget.get(image.target) ?? []);
    if (names.length < 2) return image;
    const problem = `${names.join(' and ')} are different sources and would both be pushed to ${image.target}; exclude all but one`;
    return { ...image, problem };
  });
}

/** By code unit: the order must not depend on the worker's locale. */
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
