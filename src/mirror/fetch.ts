import pLimit from 'p-limit';
import { FactoryError } from '../common/errors.js';
import { inOrder } from '../common/in-order.js';
import type { StepContext } from '../common/step.js';
import type { Digest, Reference } from '../contract/brand.js';
import {
  type ImageIndex,
  type ImageManifest,
  type IndexEntry,
  isImageConfig,
  type LayerDescriptor,
  MAX_CONFIG_BYTES,
  MAX_MANIFEST_BYTES,
  parseConfig,
  parseManifest,
} from '../registry/manifest.js';
import { isIndexType } from '../registry/media-types.js';
import { platformOf, platformWanted } from '../registry/platform.js';
import { atDigest, splitReference } from '../registry/reference.js';
import type { ByteStream, Descriptor, RawManifest, Registry } from '../registry/types.js';
import type { Arriving, ContentStore } from '../store/content.js';
import { Passing } from './passing.js';

/** One platform of an image: everything that a runtime on it would pull. */
export interface PlatformImage {
  /** As `platformOf` writes it. */
  platform: string;
  /** Where the index lists it; 0 where the image has no index. */
  position: number;
  manifest: RawManifest;
  config: Descriptor;
  layers: LayerDescriptor[];
}

/** An index entry that is no image (a signature, an SBOM): copied as it is. */
export interface ArtifactEntry {
  position: number;
  manifest: RawManifest;
  /** Its config and layers. */
  blobs: LayerDescriptor[];
}

export interface ImageTree {
  top: RawManifest;
  parsed: ImageManifest | ImageIndex;
  /** Those wanted, in the index's order. */
  platforms: PlatformImage[];
  /** Empty when platforms were chosen. BuildKit's attestations are not among them. */
  others: ArtifactEntry[];
}

/** Requests at once for one image; many images are in work at the same time. */
const MANIFESTS_AT_ONCE = 4;

/**
 * Brings a source image's content into the content store, each piece once, whatever the step that asks; what is only sent
 * on may pass by it.
 */
export class SourceFetcher {
  readonly passing: Passing;

  constructor(
    private readonly registry: Registry,
    private readonly content: ContentStore,
  ) {
    this.passing = new Passing(registry, content);
  }

  /**
   * A manifest or index, from the content store or else the registry. Its media type is what the document says.
   *
   * @param reference its repository; the tag plays no part.
   * @throws FactoryError `ImageNotFound`, `ImageUnsupported`, and what the registry throws.
   */
  async manifest(reference: Reference, digest: Digest, signal: AbortSignal): Promise<RawManifest> {
    const name = atDigest(reference, digest);
    let bytes = await this.content.read(digest, MAX_MANIFEST_BYTES);
    if (bytes === undefined) {
      bytes = (await this.registry.manifest(name, signal))?.bytes;
      if (bytes === undefined)
        throw new FactoryError('ImageNotFound', `${name} is not in its registry (any more); plan again.`);
      if ((await this.content.write(bytes)) !== digest)
        throw new FactoryError('TransferCorrupt', `The registry sent other bytes than ${name} has.`);
    }
    const { mediaType } = parseManifest(bytes, name);
    return { descriptor: { mediaType, digest, size: bytes.length }, bytes };
  }

  /** An image config, at most 8 MiB. @throws FactoryError `ImageUnsupported` and what the registry throws. */
  async config(reference: Reference, descriptor: Descriptor, signal: AbortSignal): Promise<Buffer> {
    const name = atDigest(reference, descriptor.digest);
    if (descriptor.size > MAX_CONFIG_BYTES)
      throw new FactoryError(
        'ImageUnsupported',
        `The config ${name} is larger than ${MAX_CONFIG_BYTES} bytes.`,
      );
    const release = this.content.lease([descriptor.digest]);
    try {
      await this.blob(reference, descriptor, { signal });
      const bytes = await this.content.read(descriptor.digest, MAX_CONFIG_BYTES);
      if (bytes !== undefined) return bytes;
      throw new FactoryError('TransferCorrupt', `The config ${name} was damaged on this worker's disk.`);
    } finally {
      release();
    }
  }

  /** Makes sure that a blob is in the content store. @throws what the registry and the content store throw. */
  async blob(
    reference: Reference,
    descriptor: Descriptor,
    options: { signal: AbortSignal; onBytes?: (received: number) => void },
  ): Promise<void> {
    await this.arrive(reference, descriptor, options).done;
  }

  /** Has a blob brought into the content store, for those who read it while it comes. */
  arrive(
    reference: Reference,
    descriptor: Descriptor,
    options: { signal: AbortSignal; onBytes?: (received: number) => void },
  ): Arriving {
    const repository = splitReference(reference);
    const download = (signal: AbortSignal, from: number): Promise<ByteStream> =>
      this.registry.blob(repository, descriptor, signal, from);
    return this.content.arrive(descriptor, download, options);
  }

  /** Makes sure that a layer is in the content store. A foreign layer is never fetched: nothing happens. */
  async layer(reference: Reference, layer: LayerDescriptor, context: StepContext): Promise<void> {
    if (layer.foreign) return;
    await this.blob(reference, layer, {
      signal: context.signal,
      onBytes: (bytes) => context.progress({ phase: 'download', bytes, total: layer.size }),
    });
  }

  /**
   * Manifests of an image and of its wanted platforms (all when `wanted` is empty). Layers are not fetched, configs only
   * where the index does not say the platform.
   *
   * @throws FactoryError `ImageUnsupported` when it is no image, has an index inside an index or no wanted platform.
   */
  async image(
    reference: Reference,
    digest: Digest,
    signal: AbortSignal,
    wanted: readonly string[] = [],
  ): Promise<ImageTree> {
    const top = await this.manifest(reference, digest, signal);
    const parsed = parseManifest(top.bytes, reference);
    const tree: ImageTree = { top, parsed, platforms: [], others: [] };
    const present: string[] = [];
    const limit = pLimit(MANIFESTS_AT_ONCE);
    const listed: (IndexEntry | null)[] = parsed.kind === 'index' ? parsed.entries : [null];
    const found = await inOrder(
      listed.map((entry, position) =>
        limit(() =>
          entry === null
            ? this.single(reference, top, parsed, signal)
            : this.entry(reference, entry, position, signal, wanted),
        ),
      ),
    );
    for (const one of found) {
      if (one.kind === 'artifact') tree.others.push(one);
      if (one.kind === 'artifact' || one.kind === 'attestation') continue;
      present.push(one.platform);
      if (one.kind === 'image' && platformWanted(one.platform, wanted)) tree.platforms.push(one);
    }
    if (wanted.length > 0) tree.others = [];
    if (tree.platforms.length > 0) return tree;
    const why =
      present.length === 0
        ? 'it holds no image'
        : `it has none of the platforms ${wanted.join(', ')}, only ${present.join(', ')}`;
    throw new FactoryError('ImageUnsupported', `${reference} can't be mirrored: ${why}.`);
  }

  private async entry(
    reference: Reference,
    entry: IndexEntry,
    position: number,
    signal: AbortSignal,
    wanted: readonly string[],
  ): Promise<Found> {
    if (entry.attestation) return { kind: 'attestation' };
    if (isIndexType(entry.mediaType)) {
      const message = `${reference} can't be mirrored: it has an index inside its index (${entry.digest}).`;
      throw new FactoryError('ImageUnsupported', message);
    }
    const named = entry.platform === null ? null : platformOf(entry.platform);
    // Docker Hub counts every GET of a manifest as a pull, so what nobody wants is not asked for.
    if (named !== null && !platformWanted(named, wanted)) return { kind: 'unwanted', platform: named };
    const manifest = await this.manifest(reference, entry.digest, signal);
    if (manifest.descriptor.size !== entry.size) {
      const message = `${reference} can't be mirrored: its index gives a wrong size for ${entry.digest}.`;
      throw new FactoryError('ImageUnsupported', message);
    }
    const parsed = parseManifest(manifest.bytes, reference);
    if (parsed.kind === 'index') {
      const message = `${reference} can't be mirrored: its index lists an index as an image (${entry.digest}).`;
      throw new FactoryError('ImageUnsupported', message);
    }
    const { config, layers } = parsed;
    if (!isImageConfig(config.mediaType))
      return { kind: 'artifact', position, manifest, blobs: [{ ...config, foreign: false }, ...layers] };
    const platform = named ?? (await this.platformIn(reference, config, signal));
    return { kind: 'image', platform, position, manifest, config, layers };
  }

  private async single(
    reference: Reference,
    top: RawManifest,
    parsed: ImageManifest | ImageIndex,
    signal: AbortSignal,
  ): Promise<Found> {
    if (parsed.kind === 'index' || !isImageConfig(parsed.config.mediaType)) return { kind: 'attestation' };
    const { config, layers } = parsed;
    const platform = await this.platformIn(reference, config, signal);
    return { kind: 'image', platform, position: 0, manifest: top, config, layers };
  }

  private async platformIn(reference: Reference, config: Descriptor, signal: AbortSignal): Promise<string> {
    return platformOf(parseConfig(await this.config(reference, config, signal), reference));
  }
}

type Found =
  | ({ kind: 'image' } & PlatformImage)
  | ({ kind: 'artifact' } & ArtifactEntry)
  | { kind: 'unwanted'; platform: string }
  | { kind: 'attestation' };
