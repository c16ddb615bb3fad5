import { createReadStream } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { PIECE_BYTES } from '../common/buffers.js';
import type { Digest } from '../contract/brand.js';
import { digestOf, hexOf, parseDigest } from '../registry/digest.js';
import type { BlobPart, Descriptor } from '../registry/types.js';
import { look, readDocument, STARTED_MS, touch } from './blob-file.js';
import { Claims } from './claims.js';
import type { Arriving, ContentStore, Scratch } from './content.js';
import { Growth, readPart } from './growth.js';
import { digestOfFile } from './hashing.js';
import { Ingest } from './ingest.js';
import { Leases } from './leases.js';
import { Room } from './room.js';
import { SharedDownloads } from './shared-downloads.js';
import { codeOf, diskFull, placeOnce, writerName } from './writers.js';

/** 20 GiB: a fleet of 40 two-platform images with room for two releases. */
const DEFAULT_MAX_BYTES = 20 * 2 ** 30;

/**
 * The {@link ContentStore} on a directory that several processes may share. When it would grow beyond `maxBytes`, the
 * blobs not used for longest go, except leased ones: lease first, then ensure. What is left of downloads that broke off
 * counts, and goes likewise.
 */
export class DirectoryContentStore implements ContentStore {
  private readonly downloads = new SharedDownloads();

  private constructor(
    readonly directory: string,
    private readonly leases: Leases,
    private readonly ingest: Ingest,
  ) {}

  /** Makes the layout if it is not there, and removes what dead writers left, but for the parts to go on from. @throws FactoryError `DiskFull` */
  static async open(directory: string, options: { maxBytes?: number } = {}): Promise<DirectoryContentStore> {
    const root = resolve(directory);
    try {
      await mkdir(join(root, 'blobs', 'sha256'), { recursive: true, mode: 0o700 });
      await mkdir(join(root, 'ingest'), { recursive: true, mode: 0o700 });
      const leases = new Leases(join(root, 'leases'));
      const parts = new Claims(join(root, 'ingest'), 'partial');
      await parts.sweep();
      const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
      const room = new Room(join(root, 'blobs', 'sha256'), maxBytes, leases, parts);
      const store = new DirectoryContentStore(root, leases, new Ingest(join(root, 'ingest'), parts, room));
      await store.writeOnce('oci-layout', '{"imageLayoutVersion":"1.0.0"}');
      await store.writeOnce('index.json', '{"schemaVersion":2,"manifests":[]}');
      return store;
    } catch (error) {
      throw diskFull(error, root, 'CONTENT_DIR') ?? error;
    }
  }

  async has(digest: Digest): Promise<boolean> {
    return look(this.pathOf(digest)) !== undefined;
  }

  expects({ digest, size }: Descriptor): boolean {
    return this.downloads.has(digest) || look(this.pathOf(digest))?.size === size;
  }

  pathOf(digest: Digest): string {
    // Checked again, because a cast is all that stands between a registry's text and a path.
    return join(this.directory, 'blobs', 'sha256', hexOf(parseDigest(digest)));
  }

  async read(digest: Digest, maxBytes: number): Promise<Buffer | undefined> {
    return readDocument(this.pathOf(digest), digest, maxBytes);
  }

  async write(bytes: Buffer): Promise<Digest> {
    const digest = digestOf(bytes);
    const path = this.pathOf(digest);
    if (look(path)?.size !== bytes.length || (await this.read(digest, bytes.length)) === undefined)
      await this.ingest.write({ digest, size: bytes.length, path }, bytes);
    return digest;
  }

  store(stream: Readable, signal: AbortSignal): Promise<{ digest: Digest; size: number }> {
    return this.ingest.store(stream, (digest) => this.pathOf(digest), signal);
  }

  scratch(): Scratch {
    return this.ingest.scratch();
  }

  open(digest: Digest, part?: BlobPart): Readable {
    const path = this.pathOf(digest);
    const found = look(path);
    if (found !== undefined) touch(path, found);
    return part ? readPart(path, part) : createReadStream(path, { highWaterMark: PIECE_BYTES });
  }

  async ensure(...[descriptor, download, options]: Parameters<ContentStore['ensure']>): Promise<void> {
    await this.arrive(descriptor, download, options).done;
  }

  arrive(...[descriptor, download, options]: Parameters<ContentStore['arrive']>): Arriving {
    const { digest, size } = descriptor;
    const path = this.pathOf(digest);
    const growth = new Growth(path, size);
    const listener = { ...options, onWritten: growth.wrote };
    const done = this.downloads.join(parseDigest(digest), listener, async (signal, progress) => {
      if (await this.holds(digest, size)) return;
      await this.ingest.download({ digest, size, path }, download, signal, progress);
    });
    done.then(
      () => growth.end('whole'),
      (error: unknown) => growth.end({ error }),
    );
    return { done, open: (part) => growth.open(part) };
  }

  async check(digest: Digest): Promise<boolean> {
    const path = this.pathOf(digest);
    const found = look(path);
    if (found === undefined) return false;
    if ((await digestOfFile(path, found.size).catch(absent)) === digest) return true;
    await rm(path, { force: true });
    return false;
  }

  lease(digests: Iterable<Digest>): () => void {
    return this.leases.take(digests);
  }

  /** Whether a blob is there, and sure to be whole: see {@link Ingest}. Being used makes it younger than the machine's start. */
  private async holds(digest: Digest, size: number): Promise<boolean> {
    const path = this.pathOf(digest);
    const found = look(path);
    if (found?.size !== size || (found.mtimeMs < STARTED_MS && !(await this.check(digest)))) return false;
    touch(path, found);
    return true;
  }

  /** Writes one of the layout's own files unless it is there, whole or not at all. */
  private async writeOnce(name: string, text: string): Promise<void> {
    const temporary = join(this.directory, 'ingest', writerName());
    await writeFile(temporary, text, { mode: 0o600 });
    try {
      await placeOnce(temporary, join(this.directory, name));
    } finally {
      await rm(temporary, { force: true });
    }
  }
}

function absent(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
}
