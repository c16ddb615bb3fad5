/** Manifest types that we read and write: OCI image-spec 1.1 and Docker image manifest v2, schema 2. */
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';

const INDEX_TYPES: ReadonlySet<string> = new Set([OCI_INDEX, DOCKER_LIST]);
const MANIFEST_TYPES: ReadonlySet<string> = new Set([OCI_MANIFEST, DOCKER_MANIFEST]);

/** A document that lists manifests, one a platform. */
export const isIndexType = (mediaType: string): boolean => INDEX_TYPES.has(mediaType);
/** A document that describes one image. */
export const isManifestType = (mediaType: string): boolean => MANIFEST_TYPES.has(mediaType);
export const isImageType = (mediaType: string): boolean =>
  isIndexType(mediaType) || isManifestType(mediaType);

/**
 * What we accept of a manifest. All four at once and nothing else: distribution converts a manifest list to one
 * platform's manifest, and a v2 manifest to schema 1, for clients that do not name these types.
 */
export const ACCEPT = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST].join(', ');

/** Docker's schema 1 (`…manifest.v1+json`, `…v1+prettyjws`), which has no config blob to label. */
export const isSchema1Type = (mediaType: string): boolean =>
  /^application\/vnd\.docker\.distribution\.manifest\.v1\+/.test(mediaType);

/** The bare media type of a `Content-Type` value, in lower case, without its parameters. */
export const bareType = (contentType: string | undefined): string =>
  (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
