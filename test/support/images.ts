import { gzipSync } from 'node:zlib';
import type { Digest, Reference } from '../../src/contract/brand.js';
import { digestOf } from '../../src/registry/digest.js';
import { BLOB_TYPE } from '../../src/registry/manifest.js';
import { DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from '../../src/registry/media-types.js';
import type { Platform } from '../../src/registry/platform.js';
import { formatReference, parseReference } from '../../src/registry/reference.js';
import type { Descriptor } from '../../src/registry/types.js';

/** Content with its descriptor, as a registry would hold it. */
export interface Blob {
  descriptor: Descriptor;
  bytes: Buffer;
}

export type Flavour = 'oci' | 'docker';

/** An image, or an index of images, with all that must be in a registry for it to be whole. */
export interface TestImage {
  top: Blob;
  /** Everything by platform; one for an image without an index. */
  platforms: { platform: Platform; manifest: Blob; config: Blob; layers: Blob[] }[];
  /** The top, the platforms' manifests, and whatever else an index lists. */
  manifests: Blob[];
  blobs: Blob[];
}

const TYPES = {
  oci: {
    index: OCI_INDEX,
    manifest: OCI_MANIFEST,
    config: BLOB_TYPE.ociConfig,
    layer: BLOB_TYPE.ociLayer,
  },
  docker: {
    index: DOCKER_LIST,
    manifest: DOCKER_MANIFEST,
    config: BLOB_TYPE.dockerConfig,
    layer: BLOB_TYPE.dockerLayer,
  },
} as const;

export const LINUX_AMD64: Platform = { os: 'linux', architecture: 'amd64' };
export const LINUX_ARM64: Platform = { os: 'linux', architecture: 'arm64', variant: 'v8' };

/** A reference in canonical form, from any spelling. */
export const ref = (text: string): Reference => formatReference(parseReference(text));

export function blobOf(mediaType: string, content: Buffer | string | object): Blob {
  const bytes = Buffer.isBuffer(content)
    ? content
    : Buffer.from(typeof content === 'string' ? content : JSON.stringify(content));
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes };
}

/** A tar of regular files (POSIX ustar), the same bytes for the same files. */
export function tarOf(files: Readonly<Record<string, string | Buffer>>): Buffer {
  const parts = Object.entries(files).flatMap(([path, content]) => {
    const bytes = Buffer.from(content);
    const header = Buffer.alloc(512);
    header.write(path, 0, 100);
    header.write('0000644\x000000000\x000000000\x00', 100);
    header.write(`${bytes.length.toString(8).padStart(11, '0')}\0${'0'.repeat(11)}\0`, 124);
    header.write(`${' '.repeat(8)}0`, 148);
    header.write('ustar\x0000', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

export interface TestLayer extends Blob {
  diffId: Digest;
}

/** A gzip layer of regular files. */
export function layerOf(
  files: Readonly<Record<string, string | Buffer>>,
  options: { flavour?: Flavour; mediaType?: string } = {},
): TestLayer {
  const tar = tarOf(files);
  const mediaType = options.mediaType ?? TYPES[options.flavour ?? 'oci'].layer;
  return { ...blobOf(mediaType, gzipSync(tar)), diffId: digestOf(tar) };
}

export interface ImageOptions {
  flavour?: Flavour;
  platform?: Platform;
  layers?: TestLayer[];
  labels?: Record<string, string>;
  /** More of the config's `config` part, e.g. `{ Entrypoint: ['/app'] }`. */
  run?: object;
  /** The whole config instead. */
  config?: string;
}

/** An image of one platform, without an index. */
export function imageOf(options: ImageOptions = {}): TestImage {
  const { flavour = 'oci', platform = LINUX_AMD64 } = options;
  const types = TYPES[flavour];
  const layers = options.layers ?? [layerOf({ 'etc/arch': platform.architecture }, { flavour })];
  const config = blobOf(
    types.config,
    options.config ?? {
      created: '2024-01-02T03:04:05Z',
      ...platform,
      config: { Env: ['PATH=/bin'], Entrypoint: ['/app'], Labels: options.labels ?? null, ...options.run },
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    },
  );
  const manifest = blobOf(types.manifest, {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: config.descriptor,
    layers: layers.map((layer) => layer.descriptor),
  });
  return {
    top: manifest,
    platforms: [{ platform, manifest, config, layers }],
    manifests: [manifest],
    blobs: [config, ...layers],
  };
}

/** What an index lists beside plain images. */
export interface ExtraEntry {
  manifest: Blob;
  blobs?: Blob[];
  /** More of the index entry: `platform`, `annotations`. */
  entry?: object;
}

/** An index over images (each of {@link imageOf}) and other entries, in this order. */
export function indexOf(
  images: TestImage[],
  options: { flavour?: Flavour; extras?: ExtraEntry[] } = {},
): TestImage {
  const mediaType = TYPES[options.flavour ?? 'oci'].index;
  const platforms = images.flatMap((image) => image.platforms);
  const extras = options.extras ?? [];
  const top = blobOf(mediaType, {
    schemaVersion: 2,
    mediaType,
    manifests: [
      ...platforms.map(({ platform, manifest }) => ({ ...manifest.descriptor, platform })),
      ...extras.map(({ manifest, entry }) => ({ ...manifest.descriptor, ...entry })),
    ],
  });
  return {
    top,
    platforms,
    manifests: [top, ...platforms.map(({ manifest }) => manifest), ...extras.map(({ manifest }) => manifest)],
    blobs: [...images.flatMap((image) => image.blobs), ...extras.flatMap(({ blobs }) => blobs ?? [])],
  };
}

/** A two-platform image, as most of the fleet is. */
export const twoPlatformImage = (flavour: Flavour = 'oci', labels?: Record<string, string>): TestImage =>
  indexOf(
    [LINUX_AMD64, LINUX_ARM64].map((platform) =>
      imageOf({ flavour, platform, ...(labels === undefined ? {} : { labels }) }),
    ),
    { flavour },
  );

/** A BuildKit attestation of a manifest, with the index entry that lists it. */
export function attestationOf(subject: Blob): ExtraEntry {
  const config = blobOf(BLOB_TYPE.ociConfig, { architecture: 'unknown', os: 'unknown' });
  const statement = blobOf('application/vnd.in-toto+json', {
    predicateType: 'https://slsa.dev/provenance/v0.2',
  });
  const manifest = blobOf(OCI_MANIFEST, {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: config.descriptor,
    layers: [statement.descriptor],
  });
  const annotations = {
    'vnd.docker.reference.digest': subject.descriptor.digest,
    'vnd.docker.reference.type': 'attestation-manifest',
  };
  const platform = { architecture: 'unknown', os: 'unknown' };
  return { manifest, blobs: [config, statement], entry: { platform, annotations } };
}

/** An OCI artifact (image-spec, manifest.md#guidelines-for-artifact-usage) that an index lists. */
export function artifactOf(content: string): ExtraEntry {
  const config = blobOf('application/vnd.oci.empty.v1+json', '{}');
  const document = blobOf('application/spdx+json', content);
  const manifest = blobOf(OCI_MANIFEST, {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType: 'application/spdx+json',
    config: config.descriptor,
    layers: [document.descriptor],
  });
  return { manifest, blobs: [config, document] };
}
