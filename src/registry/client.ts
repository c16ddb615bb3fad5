import type { Readable } from 'node:stream';
import type { Digest, Reference } from '../contract/brand.js';
import { Authorizer, unlessAborted } from './auth.js';
import { findBlob, headBlob, openBlob } from './blobs.js';
import type { CredentialProvider } from './credentials.js';
import { Exchange } from './exchange.js';
import { Manifests } from './manifests.js';
import type { Manners } from './manners.js';
import type { Repository } from './reference.js';
import { abandonSession, mount, openSession } from './session.js';
import type { HostStats } from './traffic.js';
import { DEFAULT_TIMEOUTS, type Timeouts, Transport } from './transport.js';
import type { BlobPart, Descriptor, RawManifest, Registry, UploadResult } from './types.js';
import { Uploader } from './upload.js';
import { MemoryUploadSessions, type UploadSessions } from './upload-sessions.js';

export interface RegistryClientOptions {
  credentials: CredentialProvider;
  /** Hosts (`host[:port]`) that speak plain HTTP. Loopback hosts do anyway, as with docker and crane. */
  insecureHosts: readonly string[];
  /** Certificates to trust instead of Node's own: what `trusting` gives. */
  ca?: readonly string[] | undefined;
  userAgent?: string;
  timeouts?: Partial<Timeouts>;
  /** Where uploads that break off are kept to be gone on with; in memory when absent. */
  sessions?: UploadSessions;
  /** What hosts ask of us, shared with other clients; this client's own when absent. */
  manners?: Manners;
}

interface Ensuring {
  result: Promise<UploadResult>;
  signal: AbortSignal | undefined;
}

const nameOf = (repository: Repository): string => `${repository.host}/${repository.path}`;

/**
 * The OCI distribution protocol (spec 1.1) for any number of hosts, with Docker Hub under `docker.io`. Keep one for a
 * run's pushes: it remembers logins, and which blobs are in place.
 */
export class RegistryClient implements Registry {
  readonly #transport: Transport;
  readonly #exchange: Exchange;
  readonly #manifests: Manifests;
  readonly #uploader: Uploader;
  readonly #ensuring = new Map<string, Ensuring>();
  /** By repository: the blobs that are there. */
  readonly #present = new Map<string, Set<Digest>>();
  /** Repositories where a look (HEAD) comes before a mount. */
  readonly #doubted = new Set<string>();

  constructor(options: RegistryClientOptions) {
    this.#transport = new Transport({
      insecureHosts: options.insecureHosts,
      userAgent: options.userAgent ?? 'harness-ci-image-factory',
      timeouts: { ...DEFAULT_TIMEOUTS, ...options.timeouts },
      ca: options.ca,
      ...(options.manners && { manners: options.manners }),
    });
    this.#exchange = new Exchange(this.#transport, new Authorizer(this.#transport, options.credentials));
    this.#manifests = new Manifests(this.#exchange);
    this.#uploader = new Uploader(this.#exchange, options.sessions ?? new MemoryUploadSessions());
  }

  head(reference: Reference, signal?: AbortSignal): Promise<Descriptor | undefined> {
    return this.#manifests.head(reference, signal);
  }

  manifest(reference: Reference, signal?: AbortSignal): Promise<RawManifest | undefined> {
    return this.#manifests.get(reference, signal);
  }

  putManifest(reference: Reference, manifest: RawManifest, signal?: AbortSignal): Promise<void> {
    return this.#manifests.put(reference, manifest, signal);
  }

  headBlob(repository: Repository, digest: Digest, signal?: AbortSignal): Promise<number | undefined> {
    return headBlob(this.#exchange, repository, digest, signal);
  }

  blob(
    repository: Repository,
    descriptor: Descriptor,
    signal?: AbortSignal,
    from?: number,
  ): Promise<Readable> {
    return openBlob(this.#exchange, repository, descriptor, signal, from);
  }

  async ensureBlob(
    repository: Repository,
    descriptor: Descriptor,
    open: (part?: BlobPart) => Readable,
    options: { mountFrom?: Repository; signal?: AbortSignal; onBytes?: (sent: number) => void },
  ): Promise<UploadResult> {
    const { signal } = options;
    const key = `${nameOf(repository)}@${descriptor.digest}`;
    for (;;) {
      signal?.throwIfAborted();
      if (this.#present.get(nameOf(repository))?.has(descriptor.digest)) return { how: 'present' };
      const other = this.#ensuring.get(key);
      if (other === undefined) break;
      try {
        await unlessAborted(other.result, signal);
      } catch (error) {
        // Only whoever started it was cancelled: the next one takes over.
        if (signal?.aborted || !other.signal?.aborted) throw error;
      }
    }
    const result = this.#ensure(repository, descriptor, open, options);
    this.#ensuring.set(key, { result, signal });
    try {
      const done = await result;
      const present = this.#present.get(nameOf(repository)) ?? new Set();
      this.#present.set(nameOf(repository), present.add(descriptor.digest));
      return done;
    } finally {
      this.#ensuring.delete(key);
    }
  }

  forget(repository: Repository): void {
    this.#present.delete(nameOf(repository));
    // Distribution 2.8 rewrites a blob's link when it is mounted again, which may be what went wrong (decision 5).
    this.#doubted.add(nameOf(repository));
  }

  async probePush(repository: Repository, signal?: AbortSignal): Promise<void> {
    const session = await openSession(this.#exchange, repository, nameOf(repository), signal);
    await abandonSession(this.#exchange, repository, session.url, signal);
  }

  /** What went to and came from each host, of all clients that share this one's manners. */
  stats(): HostStats[] {
    return this.#transport.manners.stats();
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  async #ensure(
    repository: Repository,
    descriptor: Descriptor,
    open: (part?: BlobPart) => Readable,
    options: { mountFrom?: Repository; signal?: AbortSignal; onBytes?: (sent: number) => void },
  ): Promise<UploadResult> {
    const { mountFrom, signal, onBytes } = options;
    const exchange = this.#exchange;
    const isThere = async (): Promise<boolean> => {
      const found = await findBlob(exchange, repository, descriptor.digest, 'push', signal);
      return found !== undefined && (found.size ?? descriptor.size) === descriptor.size;
    };
    const mountable =
      mountFrom !== undefined && mountFrom.host === repository.host && mountFrom.path !== repository.path;
    const doubted = this.#doubted.has(nameOf(repository));
    if ((!mountable || doubted) && (await isThere())) return { how: 'present' };
    const mounted = mountable
      ? await mount(exchange, repository, descriptor.digest, mountFrom, signal)
      : undefined;
    if (mounted === 'mounted') return { how: 'mounted' };
    // A registry without mounts answers 202 to each: without this look every push would send everything again.
    if (mountable && !doubted && (await isThere())) {
      if (mounted !== undefined) await abandonSession(exchange, repository, mounted.url, signal);
      return { how: 'present' };
    }
    const idleMs = this.#transport.timeouts.idle;
    await this.#uploader.send({ repository, descriptor, open, signal, onBytes, idleMs }, mounted);
    return { how: 'uploaded' };
  }
}
