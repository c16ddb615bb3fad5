import type { Descriptor, RawManifest } from '../../registry/types.js';
import { type Blob, jsonBlob, TYPES } from './blob.js';
import { LayerMaker, type LayerSpec } from './layer.js';
import { ARCHITECTURES } from './packages.js';
import { buildLinux, buildWindows, type WindowsSpec } from './platform.js';

export type { LayerSpec } from './layer.js';

export interface ImageSpec {
  /** `oci`: index and OCI types; `docker`: manifest list and Docker v2 types. */
  kind: 'oci' | 'docker';
  /** Adds BuildKit's provenance entry for each platform. OCI only. */
  attestation?: boolean;
  layers: readonly LayerSpec[];
  /** The runtime part of the config: `Entrypoint`, `User`, …, as Docker writes it. */
  config: Record<string, unknown>;
  /** Entries for Windows behind those for Linux, with the last layer as theirs. */
  windows?: readonly WindowsSpec[];
}

/** An image in memory, ready to be put into a registry: blobs, then `manifests`, then `top` under its tag. */
export interface BuiltFleetImage {
  blobs: Blob[];
  manifests: RawManifest[];
  top: RawManifest;
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

/**
 * Builds an image out of nothing but its description, for both Linux platforms and each Windows that it names.
 *
 * @param maker of the fleet that it belongs to, so that shared layers are made once
 */
export function buildImage(spec: ImageSpec, maker: LayerMaker = new LayerMaker()): BuiltFleetImage {
  const platforms = [
    ...ARCHITECTURES.map((architecture) => buildLinux(spec, architecture, maker)),
    ...(spec.windows ?? []).map((windows) => buildWindows(spec, windows, maker)),
  ];
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
      ...platforms.map(({ platform, manifest }) => ({ ...manifest.descriptor, platform })),
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
