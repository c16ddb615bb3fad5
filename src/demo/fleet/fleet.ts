import { EXPECTED } from '../verdicts.js';
import { debootstrapped } from './bases.js';
import { BUILD_IMAGES } from './build-images.js';
import { DEFAULT_CONFIG, type FleetName } from './default-config.js';
import { type BuiltFleetImage, buildImage, type ImageSpec } from './image.js';
import { LayerMaker, type LayerSpec, type ReadyLayer } from './layer.js';
import { OTHER_IMAGES } from './other-images.js';
import type { Architecture } from './packages.js';

/**
 * What the default policy (fixable and CRITICAL) makes of an image: `blocked` has a finding that decides (a template
 * with `action: warn` only warns), `findings` has some that do not, `clean` none.
 */
export type FleetExpectation = 'clean' | 'findings' | 'blocked' | 'not-scannable';

export interface FleetImage extends BuiltFleetImage {
  repository: string;
  tag: string;
  /** The account's K8 fields that name it. */
  fields: string[];
  expected: FleetExpectation;
}

const SPECS: Record<FleetName, ImageSpec> = { ...BUILD_IMAGES, ...OTHER_IMAGES };

/** Ten that between them have every base, both families of types, an attestation, and every end. */
const SAMPLE: readonly FleetName[] = [
  'harness/ci-addon:1.16.92',
  'harness/ci-lite-engine:1.16.92',
  'harness/drone-git:1.6.9-rootless',
  'plugins/kaniko:1.10.6',
  'plugins/buildx:1.3.3',
  'plugins/cache:1.9.8',
  'plugins/s3:1.5.3',
  'plugins/gcs:1.6.3',
  'harness/sto-plugin:latest',
  'harness/ssca-plugin:0.39.0',
];

/** Real bytes of Debian for one architecture. */
export interface DebianRoot extends ReadyLayer {
  architecture: Architecture;
}

/**
 * The 40 images that Harness documents, under their names, about 50 MB in all; the same bytes at every call.
 *
 * @param root takes the place of the built layer that stands in for it
 */
export function demoFleet(root?: DebianRoot): FleetImage[] {
  const maker = new LayerMaker();
  const names = Object.keys(SPECS) as FleetName[]; // its type says that these are its keys
  return names.map((name) => fleetImage(name, SPECS[name], maker, root));
}

/** Ten of them, for tests that are not about the whole fleet. */
export function sampleFleet(): FleetImage[] {
  const maker = new LayerMaker();
  return SAMPLE.map((name) => fleetImage(name, SPECS[name], maker));
}

function fleetImage(name: FleetName, spec: ImageSpec, maker: LayerMaker, root?: DebianRoot): FleetImage {
  const [repository = name, tag = 'latest'] = name.split(':');
  const fields = Object.entries(DEFAULT_CONFIG).flatMap(([field, image]) => (image === name ? [field] : []));
  const layers = root === undefined ? spec.layers : spec.layers.map((layer) => withRoot(layer, root));
  const built = buildImage({ ...spec, layers }, maker);
  return { repository, tag, fields, expected: EXPECTED[name], ...built };
}

const withRoot = (layer: LayerSpec, root: DebianRoot): LayerSpec =>
  layer === debootstrapped ? { ...layer, ready: { [root.architecture]: root } } : layer;

/** A later version of an image: its own layer is new, what is below it is not. */
export function laterVersion(name: FleetName, tag: string): FleetImage {
  const spec = SPECS[name];
  const [own, ...below] = [...spec.layers].reverse();
  if (own?.payload === undefined) throw new Error(`${name} has no layer of its own`);
  const payload = { ...own.payload, seed: `${own.payload.path} ${tag}` };
  const layers = [...below.reverse(), { ...own, payload }];
  return { ...fleetImage(name, { ...spec, layers }, new LayerMaker()), tag };
}
