import { ECR_HOST } from './ecr-host.js';
import { DOCKER_HUB } from './reference.js';

/** How a blob larger than {@link WHOLE_BYTES} is sent: in chunks that can be gone on from, or in one request. */
export type UploadManner = 'chunks' | 'whole';

const MIB = 1024 * 1024;

/** The smallest chunk. */
export const CHUNK_BYTES = 16 * MIB;
/**
 * What is sent in one request wherever it goes, but to hosts that have answered 413. A little more than a chunk: a second
 * one of a few bytes would cost three round trips, and spare next to nothing when it breaks.
 */
export const WHOLE_BYTES = 20 * MIB;
/** Proxies in front of registries often let no more than 100 MB through at once (Cloudflare's free plans). */
const MAX_CHUNK_BYTES = 64 * MIB;

/**
 * The chunk for a blob. Each costs time (512 MiB to distribution 3: 4.3 to 5.7 s in chunks of 16 MiB, 3.3 to 3.7 s in one
 * request), and one that breaks may have to be sent again: a sixteenth of the blob keeps that below a tenth of its bytes.
 */
export const chunkBytesFor = (size: number): number =>
  Math.min(Math.max(Math.ceil(size / 16 / MIB) * MIB, CHUNK_BYTES), MAX_CHUNK_BYTES);

/**
 * A chunk where one request may not be large: GHCR's limit (ocx-sh/ocx#237) and what Azure's own client sends to ACR
 * (azure-sdk-for-net, Azure.Containers.ContainerRegistry 1.1.0-beta.5).
 */
export const SMALL_CHUNK_BYTES = 4 * MIB;

/** Hosts, as references name them, where chunks are known not to work, or not well enough to rely on. */
const WHOLE: readonly { host: RegExp; name: string }[] = [
  // Takes chunks, but answers 201 and a Range that stays where the first chunk ended (aws/containers-roadmap#2831);
  // a session's status is 404 on the public one (dotnet/sdk#33019).
  { host: ECR_HOST, name: 'Amazon ECR' },
  { host: /^public\.ecr\.aws$/, name: 'Amazon ECR Public' },
  // "Artifact Registry does not support Docker chunked uploads" (cloud.google.com/artifact-registry/docs/reference/docker-api).
  { host: /(^|\.)pkg\.dev$/, name: 'Google Artifact Registry' },
  { host: /(^|\.)gcr\.io$/, name: 'Google Container Registry, served by Artifact Registry' },
  // Has chunks (learn.microsoft.com/rest/api/containerregistry/blob/upload), but Azure's own clients go without ranges
  // and start over (Azure/azure-sdk-for-python#24004). Harbor saw 413 for one request over 20 MB (goharbor/harbor#23015):
  // small chunks are the way out then, as for every host that answers 413.
  { host: /\.azurecr\.(io|cn|us)$/, name: 'Azure Container Registry' },
  // 416 for a chunk over 4 MiB, and a Range shorter than what was sent (ocx-sh/ocx#237, oras-project/rust-oci-client#37).
  { host: /^ghcr\.io$/, name: 'GitHub Container Registry' },
  // Chunks are documented (docs.docker.com/reference/api/registry/latest/operations/UploadBlobChunk), with another form of
  // Content-Range than the OCI's, and a chunk that is sent again ended the session with 404 (regclient/regclient#323).
  { host: new RegExp(`^${DOCKER_HUB.replaceAll('.', '\\.')}$`), name: 'Docker Hub' },
];

/**
 * What is known of a host by its name; all others are tried with chunks, and sent whole from then on when their answer
 * to the first is not what the protocol says. That has chunks work where they do and costs one chunk where they don't:
 * - distribution 3: chunks, and the status of a session after a broken one (distribution/distribution#3755; measured
 *   with 3.1.2). Distribution 2.8: chunks; a session lives on only if it broke between two (measured with 2.8.2).
 * - Harbor: distribution with that change, by the same author (distribution/distribution#3755).
 * - Artifactory: known to want PATCH rather than one PUT (containerd/containerd#3533).
 * - Quay: PATCH with Content-Range and a session's status (quay/quay, endpoints/v2/blob.py).
 */
export const uploadMannerOf = (host: string): UploadManner => (isKnown(host) ? 'whole' : 'chunks');

/**
 * Whether a mount of a repository from itself asks for a blob and opens an upload in one request: 201 when it is there,
 * else 202 with a session (distribution 2.8.2 and 3.1.2: tried). What the hosts above answer to it is documented nowhere;
 * a 202 that means nothing would have a layer sent again that is there.
 */
export const asksByMount = (host: string): boolean => !isKnown(host);

const isKnown = (host: string): boolean =>
  WHOLE.some((known) => known.host.test(host.toLowerCase().replace(/:\d+$/, '')));
