import { createCipheriv, createHash } from 'node:crypto';
import type { Digest } from '../../contract/brand.js';
import { digestOf } from '../../registry/digest.js';
import { type Blob, blobOf } from './blob.js';
import type { Architecture } from './packages.js';
import { gzipStored, type TarEntry, tar } from './tar.js';

/** A layer that was made elsewhere: its gzip bytes, and the digest of what is in them. */
export interface ReadyLayer {
  diffId: Digest;
  bytes: Buffer;
}

/** A layer as it is described: entries for one architecture, plus bytes that make a push take visible time. */
export interface LayerSpec {
  /** What made it, for the image's history. */
  createdBy: string;
  entries(architecture: Architecture): TarEntry[];
  /** A file of so many bytes that nothing can compress, different on each architecture. */
  payload?: { path: string; bytes: number; seed?: string };
  /** Takes the place of all that on the architectures that it names. */
  ready?: Partial<Record<Architecture, ReadyLayer>>;
}

/** Bytes that look random and are always the same: a cipher's key stream. */
function payload(seed: string, bytes: number): Buffer {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

function makeLayer(spec: LayerSpec, architecture: Architecture): ReadyLayer {
  const entries = [...spec.entries(architecture)];
  if (spec.payload !== undefined) {
    const { path, bytes, seed = path } = spec.payload;
    entries.push({ path, content: payload(`${architecture} ${seed}`, bytes), mode: 0o755 });
  }
  const archive = tar(entries);
  return { diffId: digestOf(archive), bytes: gzipStored(archive) };
}

/** Layers of one fleet: a base that many images share is made once. */
export class LayerMaker {
  readonly #made = new Map<LayerSpec, Map<Architecture, ReadyLayer>>();

  /** The layer for one architecture, and the digest of its tar archive. */
  make(spec: LayerSpec, architecture: Architecture, mediaType: string): { diffId: Digest; blob: Blob } {
    const made = this.#made.get(spec) ?? new Map<Architecture, ReadyLayer>();
    this.#made.set(spec, made);
    const layer = spec.ready?.[architecture] ?? made.get(architecture) ?? makeLayer(spec, architecture);
    made.set(architecture, layer);
    return { diffId: layer.diffId, blob: blobOf(mediaType, layer.bytes) };
  }
}
