import type { Digest } from '../../contract/brand.js';
import { BLOB_TYPE } from '../../registry/manifest.js';
import type { RawManifest } from '../../registry/types.js';
import { type Blob, CREATED, jsonBlob, TYPES } from './blob.js';
import type { ImageSpec } from './image.js';
import type { LayerMaker } from './layer.js';
import type { Architecture } from './packages.js';

/** One entry of an index, and what lies below it. */
export interface BuiltPlatform {
  blobs: Blob[];
  manifest: RawManifest;
  /** As the index says it (image-spec, image-index.md). */
  platform: { architecture: string; os: string; 'os.version'?: string };
}

/** A layer in a manifest; a foreign one has addresses instead of bytes. */
interface PlacedLayer {
  diffId: Digest;
  descriptor: Blob['descriptor'] & { urls?: string[] };
  createdBy: string;
}

function describe(
  spec: ImageSpec,
  platform: BuiltPlatform['platform'],
  config: Record<string, unknown>,
  layers: readonly PlacedLayer[],
) {
  const types = TYPES[spec.kind];
  const configBlob = jsonBlob(types.config, {
    created: CREATED,
    ...platform,
    config,
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(({ createdBy }) => ({ created: CREATED, created_by: createdBy })),
  });
  const manifest = jsonBlob(types.manifest, {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: configBlob.descriptor,
    layers: layers.map(({ descriptor }) => descriptor),
  });
  return { configBlob, manifest };
}

/** The image for Linux on one architecture. */
export function buildLinux(spec: ImageSpec, architecture: Architecture, maker: LayerMaker): BuiltPlatform {
  const layers = spec.layers.map((layer) => {
    const { diffId, blob } = maker.make(layer, architecture, TYPES[spec.kind].layer);
    return { diffId, blob, descriptor: blob.descriptor, createdBy: layer.createdBy };
  });
  const platform = { architecture, os: 'linux' };
  const { configBlob, manifest } = describe(spec, platform, spec.config, layers);
  return { blobs: [configBlob, ...layers.map(({ blob }) => blob)], manifest, platform };
}

/** What an image has for one version of Windows. */
export interface WindowsSpec {
  /** `os.version` of the index entry. */
  version: string;
  /** Microsoft's layer: a descriptor and an address. Its bytes are in no registry but theirs. */
  base: { diffId: Digest; digest: Digest; size: number; url: string };
}

/** The image for Windows: Microsoft's base as a foreign layer, and one of the image's own on it. */
export function buildWindows(spec: ImageSpec, windows: WindowsSpec, maker: LayerMaker): BuiltPlatform {
  const [program] = spec.layers.slice(-1);
  if (program === undefined) throw new Error('an image for Windows has at least one layer');
  const { diffId, blob } = maker.make(program, 'amd64', TYPES[spec.kind].layer);
  const { base, version } = windows;
  const layers: PlacedLayer[] = [
    {
      diffId: base.diffId,
      descriptor: {
        mediaType: BLOB_TYPE.dockerForeignLayer,
        digest: base.digest,
        size: base.size,
        urls: [base.url],
      },
      createdBy: `Apply image ${version}`,
    },
    { diffId, descriptor: blob.descriptor, createdBy: program.createdBy },
  ];
  const platform = { architecture: 'amd64', os: 'windows', 'os.version': version };
  const config = { Env: spec.config.Env, Entrypoint: spec.config.Entrypoint, User: 'ContainerUser' };
  const { configBlob, manifest } = describe(spec, platform, config, layers);
  return { blobs: [configBlob, blob], manifest, platform };
}
