import { digestOf } from '../../registry/digest.js';
import { BLOB_TYPE } from '../../registry/manifest.js';
import { DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from '../../registry/media-types.js';
import type { Descriptor } from '../../registry/types.js';

export interface Blob {
  descriptor: Descriptor;
  bytes: Buffer;
}

/** The media types of an image's parts, in OCI's words and in Docker's. */
export const TYPES = {
  oci: {
    layer: BLOB_TYPE.ociLayer,
    config: BLOB_TYPE.ociConfig,
    manifest: OCI_MANIFEST,
    index: OCI_INDEX,
  },
  docker: {
    layer: BLOB_TYPE.dockerLayer,
    config: BLOB_TYPE.dockerConfig,
    manifest: DOCKER_MANIFEST,
    index: DOCKER_LIST,
  },
} as const;

/** No clock: the same fleet has the same digests on every day. */
export const CREATED = '2026-10-06T09:12:00Z';

/** Bytes under their descriptor. */
export const blobOf = (mediaType: string, bytes: Buffer): Blob => ({
  descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length },
  bytes,
});

export const jsonBlob = (mediaType: string, value: object): Blob =>
  blobOf(mediaType, Buffer.from(JSON.stringify(value)));
