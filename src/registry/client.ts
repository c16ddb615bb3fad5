import type { Digest, Reference } from '../contract/brand.js';
import { Authorizer, unlessAborted } from './auth.js';
import { headBlob, openBlob } from './blobs.js';
import type { CredentialProvider } from './credentials.js';
import { RegistryError } from './errors.js';
import { Exchange } from './exchange.js';
import type { HostApi } from './host-api.js';
import { Manifests } from './manifests.js';
import type { Manners } from './manners.js';
import { Placing } from './placing.js';
import type { Repository } from './reference.js';
import { abandonSession, openSession } from './session.js';
import type { HostStats } from './traffic.js';
import { DEFAULT_TIMEOUTS, type Timeouts, Transport } from './transport.js';
import type { BlobPart, ByteStream, Descriptor, RawManifest, Registry, UploadResult } from './types.js';
import { Uploader } from './upload.js';
import { BodyFailed } from './upload-body.js';
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
  /** What hosts manage beside the protocol; nothing when absent. */
  hostApi?: HostApi | undefined;
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
  readonly #placing: Placing;
  readonly #hostApi: HostApi | undefined;
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
    this.#hostApi = options.hostApi;
    this.#manifests = new Manifests(this.#exchange);
    const sessions = options.sessions ?? new MemoryUploadSessions();
    this.#placing = new Placing(this.#exchange, new Uploader(this.#exchange, sessions));
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
  ): Promise<ByteStream> {
    return openBlob(this.#exchange, repository, descriptor, signal, from);
  }

  async ensureBlob(
    repository: Repository,
    descriptor: Descriptor,
    open: (part?: BlobPart) => AsyncIterable<Buffer>,
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
    const result = this.#ensureInPlace(repository, descriptor, open, options).catch((error: unknown) => {
      throw error instanceof BodyFailed ? error.error : error; // all is decided: the stream's own error comes out
    });
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

  async keepsTag(reference: Reference, signal?: AbortSignal): Promise<boolean> {
    return (await this.#hostApi?.keepsTag(reference, signal)) ?? false;
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

  /** Where the repository itself is missing and has to be made by other means than a push, it is. */
  async #ensureInPlace(...task: Parameters<Registry['ensureBlob']>): Promise<UploadResult> {
    const [repository, , , { signal }] = task;
    try {
      return await this.#ensure(...task);
    } catch (error) {
      const missing = error instanceof RegistryError && error.code === 'NAME_UNKNOWN';
      if (!missing || !(await this.#hostApi?.createRepository(repository, signal))) throw error;
      return this.#ensure(...task);
    }
  }

  #ensure(
    ...[repository, descriptor, open, options]: Parameters<Registry['ensureBlob']>
  ): Promise<UploadResult> {
    const doubted = this.#doubted.has(nameOf(repository));
    const { idle: idleMs } = this.#transport.timeouts;
    return this.#placing.place(repository, descriptor, open, { ...options, doubted, idleMs });
  }
}
