import { Readable } from 'node:stream';
import pLimit from 'p-limit';
import type { Digest } from '../../contract/brand.js';
import { formatReference, type Repository } from '../../registry/reference.js';
import type { Registry } from '../../registry/types.js';
import {
  DATABASE_LAYER_TYPE,
  type DatabaseFiles,
  databaseLayer,
  javaDb,
  vulnerabilityDb,
} from '../trivy-db.js';
import { type Blob, blobOf } from './blob.js';
import type { FleetImage } from './fleet.js';
import type { BuiltFleetImage } from './image.js';

/** Small requests wait for the server more than for us. */
const IMAGES_AT_ONCE = 4;

async function publish(
  registry: Registry,
  repository: Repository,
  tag: string,
  image: BuiltFleetImage,
  holders: Map<Digest, Repository>,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const { descriptor, bytes } of image.blobs) {
    const mountFrom = holders.get(descriptor.digest);
    const open = ({ from, length } = { from: 0, length: bytes.length }): Readable =>
      Readable.from(bytes.subarray(from, from + length));
    await registry.ensureBlob(repository, descriptor, open, {
      ...(mountFrom === undefined ? {} : { mountFrom }),
      ...(signal === undefined ? {} : { signal }),
    });
    holders.set(descriptor.digest, repository);
  }
  for (const manifest of image.manifests) {
    const { digest } = manifest.descriptor;
    await registry.putManifest(formatReference({ ...repository, tag: null, digest }), manifest, signal);
  }
  await registry.putManifest(formatReference({ ...repository, tag, digest: null }), image.top, signal);
}

/** Puts images into a registry under their own names; a layer that several share is sent once and mounted. */
export async function publishFleet(
  registry: Registry,
  host: string,
  images: readonly Pick<FleetImage, 'repository' | 'tag' | keyof BuiltFleetImage>[],
  signal?: AbortSignal,
): Promise<void> {
  const holders = new Map<Digest, Repository>();
  const limit = pLimit(IMAGES_AT_ONCE);
  await Promise.all(
    images.map((image) =>
      limit(() => publish(registry, { host, path: image.repository }, image.tag, image, holders, signal)),
    ),
  );
}

/** A database as Trivy's publishers put it into a registry: an OCI artifact of one layer. */
function databaseArtifact(database: DatabaseFiles): BuiltFleetImage {
  const layer = blobOf(DATABASE_LAYER_TYPE[database.directory], databaseLayer(database));
  const config: Blob = blobOf('application/vnd.aquasec.trivy.config.v1+json', Buffer.from('{}'));
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const title = database.directory === 'db' ? 'db.tar.gz' : 'javadb.tar.gz';
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: config.descriptor,
    layers: [{ ...layer.descriptor, annotations: { 'org.opencontainers.image.title': title } }],
  };
  return {
    blobs: [config, layer],
    manifests: [],
    top: blobOf(mediaType, Buffer.from(JSON.stringify(manifest))),
  };
}

/** Where the two databases lie, as `TRIVY_DB_REPOSITORY` and `TRIVY_JAVA_DB_REPOSITORY` name them. */
export interface PublishedDatabase {
  dbRepository: string;
  javaDbRepository: string;
}

/** Puts the small vulnerability database and an empty Java one into a registry, made at `updatedAt` (ISO 8601 UTC). */
export async function publishVulnerabilityDb(
  registry: Registry,
  host: string,
  options: { updatedAt: string; signal?: AbortSignal },
): Promise<PublishedDatabase> {
  const put = async (path: string, tag: string, database: DatabaseFiles): Promise<string> => {
    await publish(registry, { host, path }, tag, databaseArtifact(database), new Map(), options.signal);
    return `${host}/${path}:${tag}`;
  };
  return {
    dbRepository: await put('aquasec/trivy-db', '2', vulnerabilityDb(options)),
    javaDbRepository: await put('aquasec/trivy-java-db', '1', javaDb(options)),
  };
}
