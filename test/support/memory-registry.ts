import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { FactoryError } from '../../src/common/errors.js';
import type { Digest, Reference } from '../../src/contract/brand.js';
import { digestOf } from '../../src/registry/digest.js';
import { type Repository, splitReference } from '../../src/registry/reference.js';
import type { Descriptor, RawManifest, Registry, UploadResult } from '../../src/registry/types.js';
import type { TestImage } from './images.js';

/** A registry in memory behind the real port, for tests of what stands on it. It notes every call as `verb what`. */
export class MemoryRegistry implements Registry {
  readonly calls: string[] = [];
  private readonly tags = new Map<string, Digest>();
  private readonly manifests = new Map<string, RawManifest>();
  private readonly blobs = new Map<string, Buffer>();

  /** Holds an image under a tag, whole. */
  add(reference: Reference, image: TestImage): this {
    const { host, path } = splitReference(reference);
    for (const { descriptor, bytes } of image.manifests)
      this.manifests.set(`${host}/${path}@${descriptor.digest}`, { descriptor, bytes });
    for (const { descriptor, bytes } of image.blobs)
      this.blobs.set(`${host}/${path}@${descriptor.digest}`, bytes);
    this.tags.set(reference, image.top.descriptor.digest);
    return this;
  }

  async head(reference: Reference): Promise<Descriptor | undefined> {
    this.calls.push(`head ${reference}`);
    return this.find(reference)?.descriptor;
  }

  async manifest(reference: Reference, signal?: AbortSignal): Promise<RawManifest | undefined> {
    this.calls.push(`manifest ${reference}`);
    signal?.throwIfAborted();
    return this.find(reference);
  }

  async putManifest(reference: Reference, manifest: RawManifest): Promise<void> {
    this.calls.push(`putManifest ${reference}`);
    const { host, path, tag } = splitReference(reference);
    this.manifests.set(`${host}/${path}@${manifest.descriptor.digest}`, manifest);
    if (tag !== null) this.tags.set(reference, manifest.descriptor.digest);
  }

  async headBlob({ host, path }: Repository, digest: Digest): Promise<number | undefined> {
    this.calls.push(`headBlob ${digest}`);
    return this.blobs.get(`${host}/${path}@${digest}`)?.length;
  }

  async blob({ host, path }: Repository, { digest }: Descriptor, signal?: AbortSignal): Promise<Readable> {
    this.calls.push(`blob ${digest}`);
    signal?.throwIfAborted();
    const bytes = this.blobs.get(`${host}/${path}@${digest}`);
    if (bytes === undefined)
      throw new FactoryError('ImageNotFound', `${host}/${path} has no blob ${digest}.`);
    return Readable.from([bytes], { objectMode: false });
  }

  async ensureBlob(
    { host, path }: Repository,
    { digest }: Descriptor,
    open: () => Readable,
    options: { mountFrom?: Repository; onBytes?: (sent: number) => void },
  ): Promise<UploadResult> {
    this.calls.push(`ensureBlob ${digest}`);
    const key = `${host}/${path}@${digest}`;
    if (this.blobs.has(key)) return { how: 'present' };
    const from = options.mountFrom;
    const mounted = from && this.blobs.get(`${from.host}/${from.path}@${digest}`);
    const bytes = mounted ?? (await buffer(open()));
    if (digestOf(bytes) !== digest) throw new FactoryError('TransferCorrupt', `${key} has other bytes.`);
    this.blobs.set(key, bytes);
    if (mounted !== undefined) return { how: 'mounted' };
    options.onBytes?.(bytes.length);
    return { how: 'uploaded' };
  }

  async keepsTag(): Promise<boolean> {
    return false;
  }

  async probePush({ host, path }: Repository): Promise<void> {
    this.calls.push(`probePush ${host}/${path}`);
  }

  forget(): void {}

  async close(): Promise<void> {}

  private find(reference: Reference): RawManifest | undefined {
    const { host, path, digest } = splitReference(reference);
    return this.manifests.get(`${host}/${path}@${digest ?? this.tags.get(reference)}`);
  }
}
