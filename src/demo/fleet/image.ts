import { createCipheriv, createHash } from 'node:crypto';
import { digestOf } from '../../registry/digest.js';
import type { Descriptor, RawManifest } from '../../registry/types.js';
import { ARCHITECTURES, type Architecture } from './packages.js';
import { gzipStored, type TarEntry, tar } from './tar.js';

/** A layer as it is described: entries for one architecture, plus bytes that make a push take visible time. */
export interface LayerSpec {
  /** What made it, for the image's history. */
  createdBy: string;
  entries(architecture: Architecture): TarEntry[];
  /** A file of so many bytes that nothing can compress, different on each architecture. */
  payload?: { path: string; bytes: number };
}

export interface ImageSpec {
  /** `oci`: index and OCI types; `docker`: manifest list and Docker v2 types. */
  kind: 'oci' | 'docker';
  /** Adds BuildKit's provenance entry for each platform. OCI only. */
  attestation?: boolean;
  layers: readonly LayerSpec[];
  /** The runtime part of the config: `Entrypoint`, `User`, …, as Docker writes it. */
  config: Record<string, unknown>;
}

export interface Blob {
  descriptor: Descriptor;
  bytes: Buffer;
}

/** An image in memory, ready to be put into a registry: blobs, then `manifests`, then `top` under its tag. */
export interface BuiltFleetImage {
  blobs: Blob[];
  manifests: RawManifest[];
  top: RawManifest;
}

const TYPES = {
  oci: {
    layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
    config: 'application/vnd.oci.image.config.v1+json',
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    index: 'application/vnd.oci.image.index.v1+json',
  },
  docker: {
    layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
    config: 'application/vnd.docker.container.image.v1+json',
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    index: 'application/vnd.docker.distribution.manifest.list.v2+json',
  },
} as const;

/** No clock: the same fleet has the same digests on every day. */
const CREATED = '2026-10-06T09:12:00Z';

/** Bytes under their descriptor. */
export const blobOf = (mediaType: string, bytes: Buffer): Blob => ({
  descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length },
  bytes,
});

const jsonBlob = (mediaType: string, value: object): Blob =>
  blobOf(mediaType, Buffer.from(JSON.stringify(value)));

/** Bytes that look random and are always the same: a cipher's key stream. */
function payload(seed: string, bytes: number): Buffer {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

function buildLayer(spec: LayerSpec, architecture: Architecture, mediaType: string) {
  const entries = [...spec.entries(architecture)];
  if (spec.payload !== undefined) {
    const content = payload(`${architecture} ${spec.payload.path}`, spec.payload.bytes);
    entries.push({ path: spec.payload.path, content, mode: 0o755 });
  }
  const archive = tar(entries);
  return { diffId: digestOf(archive), blob: blobOf(mediaType, gzipStored(archive)) };
}

function buildPlatform(
  spec: ImageSpec,
  architecture: Architecture,
): { blobs: Blob[]; manifest: RawManifest } {
  const types = TYPES[spec.kind];
  const layers = spec.layers.map((layer) => buildLayer(layer, architecture, types.layer));
  const config = jsonBlob(types.config, {
    created: CREATED,
    architecture,
    os: 'linux',
    config: spec.config,
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: spec.layers.map(({ createdBy }) => ({ created: CREATED, created_by: createdBy })),
  });
  const manifest = jsonBlob(types.manifest, {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: config.descriptor,
    layers: layers.map(({ blob }) => blob.descriptor),
  });
  return { blobs: [config, ...layers.map(({ blob }) => blob)], manifest };
}

/** What BuildKit adds for a platform: a manifest that no runtime pulls, tied to its image by annotations. */
function buildAttestation(subject: Descriptor): { blobs: Blob[]; manifest: RawManifest } {
  const statement = jsonBlob('application/vnd.in-toto+json', {
    _type: 'https://in-toto.io/Statement/v0.1',
    predicateType: 'https://slsa.dev/provenance/v0.2',
    subject: [{ name: '_', digest: { sha256: subject.digest.slice('sha256:'.length) } }],
    predicate: { buildType: 'https://mobyproject.org/buildkit@v1' },
  });
  const config = jsonBlob(TYPES.oci.config, {
    architecture: 'unknown',
    os: 'unknown',
    config: {},
    rootfs: { type: 'layers', diff_ids: [statement.descriptor.digest] },
  });
  const manifest = jsonBlob(TYPES.oci.manifest, {
    schemaVersion: 2,
    mediaType: TYPES.oci.manifest,
    config: config.descriptor,
    layers: [
      {
        ...statement.descriptor,
        annotations: { 'in-toto.io/predicate-type': 'https://slsa.dev/provenance/v0.2' },
      },
    ],
  });
  return { blobs: [config, statement], manifest };
}

/** Builds a two-platform image out of nothing but its description. */
export function buildImage(spec: ImageSpec): BuiltFleetImage {
  const platforms = ARCHITECTURES.map((architecture) => ({
    architecture,
    ...buildPlatform(spec, architecture),
  }));
  const attestations =
    spec.attestation === true
      ? platforms.map(({ manifest }) => ({
          subject: manifest.descriptor,
          ...buildAttestation(manifest.descriptor),
        }))
      : [];
  const top = jsonBlob(TYPES[spec.kind].index, {
    schemaVersion: 2,
    mediaType: TYPES[spec.kind].index,
    manifests: [
      ...platforms.map(({ architecture, manifest }) => ({
        ...manifest.descriptor,
        platform: { architecture, os: 'linux' },
      })),
      ...attestations.map(({ subject, manifest }) => ({
        ...manifest.descriptor,
        annotations: {
          'vnd.docker.reference.digest': subject.digest,
          'vnd.docker.reference.type': 'attestation-manifest',
        },
        platform: { architecture: 'unknown', os: 'unknown' },
      })),
    ],
  });
  const parts = [...platforms, ...attestations];
  return {
    blobs: parts.flatMap(({ blobs }) => blobs),
    manifests: parts.map(({ manifest }) => manifest),
    top,
  };
}
