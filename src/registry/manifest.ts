import { z } from 'zod';
import { FactoryError } from '../common/errors.js';
import { isDigest } from './digest.js';
import { isIndexType, isManifestType, OCI_INDEX, OCI_MANIFEST } from './media-types.js';
import type { Platform } from './platform.js';
import type { Descriptor } from './types.js';

/** Media types of what a manifest points at (image-spec, media-types.md; distribution, manifest-v2-2.md). */
export const BLOB_TYPE = {
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  dockerForeignLayer: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
} as const;

/** distribution's limit for a manifest. */
export const MAX_MANIFEST_BYTES = 4 << 20;
/** Configs of real images are under 100 KB; this bounds what is read into memory. */
export const MAX_CONFIG_BYTES = 8 << 20;

/** Marks an index entry as a BuildKit attestation (buildkit, docs/attestations/attestation-storage.md). */
export const ATTESTATION_ANNOTATION = 'vnd.docker.reference.type';

const stringMap = z.record(z.string(), z.string()).nullish();

const platformSchema = z.object({
  os: z.string(),
  architecture: z.string(),
  variant: z.string().nullish(),
  'os.version': z.string().nullish(),
});

const descriptorSchema = z.object({
  mediaType: z.string(),
  digest: z.custom<Descriptor['digest']>((value) => typeof value === 'string' && isDigest(value)),
  size: z.int().min(0),
});

const layerSchema = descriptorSchema.extend({ urls: z.array(z.string()).nullish() });

const entrySchema = descriptorSchema.extend({ platform: platformSchema.nullish(), annotations: stringMap });

const documentSchema = z.object({
  schemaVersion: z.number().optional(),
  mediaType: z.string().optional(),
  annotations: stringMap,
  manifests: z.array(entrySchema).max(1000).optional(),
  config: descriptorSchema.optional(),
  layers: z.array(layerSchema).max(1000).optional(),
});

export interface LayerDescriptor extends Descriptor {
  /** Must not be distributed, or lies at other URLs: kept as a descriptor, never fetched nor pushed. */
  foreign: boolean;
}

export interface IndexEntry extends Descriptor {
  platform: Platform | null;
  /** A BuildKit attestation of another entry. */
  attestation: boolean;
}

/** What we act on in a manifest; bytes are never made from it. */
export interface ImageManifest {
  kind: 'manifest';
  mediaType: string;
  annotations: Record<string, string>;
  config: Descriptor;
  layers: LayerDescriptor[];
}

/** What we act on in an index; bytes are never made from it. */
export interface ImageIndex {
  kind: 'index';
  mediaType: string;
  annotations: Record<string, string>;
  entries: IndexEntry[];
}

export const isImageConfig = (mediaType: string): boolean =>
  mediaType === BLOB_TYPE.ociConfig || mediaType === BLOB_TYPE.dockerConfig;

/** Docker's v2 types have no field for annotations. */
export const takesAnnotations = (mediaType: string): boolean =>
  mediaType === OCI_INDEX || mediaType === OCI_MANIFEST;

const isForeign = (mediaType: string, urls: readonly string[] | null | undefined): boolean =>
  mediaType === BLOB_TYPE.dockerForeignLayer || mediaType.includes('nondistributable') || !!urls?.length;

/**
 * Reads a manifest or an index. Its type is what the document itself says, else what its shape is: content on disk has
 * no other, so every worker sees the same. A document that could be read as both is refused (CVE-2021-41190).
 *
 * @param name the image, for the message.
 * @throws FactoryError `ImageUnsupported` when it is neither an OCI nor a Docker v2 image.
 */
export function parseManifest(bytes: Buffer, name: string): ImageManifest | ImageIndex {
  const fail = (why: string): never => {
    throw new FactoryError('ImageUnsupported', `${name} can't be mirrored: its manifest ${why}.`);
  };
  const parsed = documentSchema.safeParse(parseText(bytes) ?? fail('is not JSON'));
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0] ?? { path: [], message: 'unknown' };
    return fail(`is not an OCI or Docker v2 one (${path.join('.') || 'document'}: ${message})`);
  }
  const { schemaVersion, manifests, config, layers, annotations } = parsed.data;
  if (schemaVersion === 1) return fail('has Docker’s schema 1, which registries no longer take');
  if (manifests !== undefined && (config !== undefined || layers !== undefined))
    return fail('is an index and an image at once');
  if (manifests !== undefined) {
    const mediaType = parsed.data.mediaType ?? OCI_INDEX;
    if (!isIndexType(mediaType)) return fail(`is an index with the media type ${mediaType}`);
    const entries = manifests.map(({ platform, annotations: marks, ...descriptor }) => ({
      ...descriptor,
      platform: platform ?? null,
      attestation: marks?.[ATTESTATION_ANNOTATION] !== undefined,
    }));
    return { kind: 'index', mediaType, annotations: annotations ?? {}, entries };
  }
  if (config === undefined || layers === undefined) return fail('has neither images nor config and layers');
  const mediaType = parsed.data.mediaType ?? OCI_MANIFEST;
  if (!isManifestType(mediaType)) return fail(`is an image with the media type ${mediaType}`);
  const marked = layers.map(({ urls, ...layer }) => ({
    ...layer,
    foreign: isForeign(layer.mediaType, urls),
  }));
  return { kind: 'manifest', mediaType, annotations: annotations ?? {}, config, layers: marked };
}

/** Docker reads a lone string as a list of one, and old images have it. */
const strings = z
  .union([z.array(z.string()), z.string().transform((one) => [one])])
  .nullish()
  .transform((list) => list ?? []);
const names = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform((map) => Object.keys(map ?? {}));
const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');

const runSchema = z.object({
  Labels: z
    .record(z.string(), z.string().nullable())
    .nullish()
    .transform((map) =>
      Object.fromEntries(Object.entries(map ?? {}).map(([key, value]) => [key, value ?? ''])),
    ),
  Env: strings,
  Entrypoint: strings,
  Cmd: strings,
  User: text,
  WorkingDir: text,
  ExposedPorts: names,
});

const configSchema = platformSchema.extend({
  config: runSchema.nullish().transform((run) => run ?? runSchema.parse({})),
  rootfs: z.object({ diff_ids: strings }).nullish(),
});

/** What we act on in an image config; absent and null parts are empty. */
export type ImageConfig = z.infer<typeof configSchema>;

/** @param name the image, for the message. @throws FactoryError `ImageUnsupported` when it is no image config. */
export function parseConfig(bytes: Buffer, name: string): ImageConfig {
  const parsed = configSchema.safeParse(parseText(bytes));
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues[0]?.path.join('.') || 'document';
  throw new FactoryError('ImageUnsupported', `${name} can't be mirrored: its config is broken at ${where}.`);
}

function parseText(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
