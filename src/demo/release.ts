import { DEFAULT_CONFIG } from './fleet/default-config.js';
import { laterVersion } from './fleet/fleet.js';
import { publishFleet } from './fleet/publish.js';
import { type World, withRegistry } from './world.js';

/** Harness moves it every week. */
const FIELD = 'addonTag';

export interface Release {
  field: string;
  before: string;
  after: string;
}

/**
 * Does what Harness does every week: a new version of an image under a new tag, and the account's default config names
 * it. Each call releases the next one.
 */
export async function releaseNext({ source, harness }: Pick<World, 'source' | 'harness'>): Promise<Release> {
  const { K8 } = harness.state.defaults;
  const before = K8[FIELD] ?? DEFAULT_CONFIG[FIELD];
  const [, tag = ''] = before.split(':');
  const next = tag.replace(/\d+$/, (patch) => String(Number(patch) + 1));
  const image = laterVersion(DEFAULT_CONFIG[FIELD], next);
  await withRegistry((registry) => publishFleet(registry, source, [image]));
  const after = `${image.repository}:${next}`;
  K8[FIELD] = after;
  return { field: FIELD, before, after };
}
