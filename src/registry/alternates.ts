import { FactoryError } from '../common/errors.js';
import type { Digest, Reference } from '../contract/brand.js';
import { formatReference, parseReference, type Repository, splitReference } from './reference.js';
import type { BlobPart, ByteStream, Descriptor, RawManifest, Registry, UploadResult } from './types.js';

/** How long a place that limited us is asked last, where it does not say itself. */
const LIMITED_MS = 60_000;

const repositoryIn = (prefix: string, path: string): Repository => {
  const { host, path: whole } = parseReference(`${prefix}/${path}`);
  return { host, path: whole };
};

/**
 * Sources whose images also lie below other prefixes. What is asked for by digest is the same from any of them: where
 * one limits us, is down or has lost it, the next one serves. A tag is asked of the place that it names alone, since
 * another may hold another image under it.
 */
export class AlternateSources implements Registry {
  /** Until when a place is asked last, by prefix; monotonic. */
  readonly #limited = new Map<string, number>();

  /** @param prefixes `host[/prefix]`, best first: each holds the same repositories. */
  constructor(
    private readonly inner: Registry,
    private readonly prefixes: readonly string[],
  ) {}

  head(reference: Reference, signal?: AbortSignal): Promise<Descriptor | undefined> {
    const at = splitReference(reference);
    if (at.digest === null) return this.inner.head(reference, signal);
    return this.#any(at, signal, (place) => this.inner.head(formatReference({ ...at, ...place }), signal));
  }

  manifest(reference: Reference, signal?: AbortSignal): Promise<RawManifest | undefined> {
    const at = splitReference(reference);
    if (at.digest === null) return this.inner.manifest(reference, signal);
    return this.#any(at, signal, (place) =>
      this.inner.manifest(formatReference({ ...at, ...place }), signal),
    );
  }

  headBlob(repository: Repository, digest: Digest, signal?: AbortSignal): Promise<number | undefined> {
    return this.#any(repository, signal, (place) => this.inner.headBlob(place, digest, signal));
  }

  async blob(
    repository: Repository,
    descriptor: Descriptor,
    signal?: AbortSignal,
    from?: number,
  ): Promise<ByteStream> {
    const stream = await this.#any(repository, signal, (place) =>
      this.inner.blob(place, descriptor, signal, from),
    );
    return stream ?? this.inner.blob(repository, descriptor, signal, from); // never undefined: it throws
  }

  putManifest(reference: Reference, manifest: RawManifest, signal?: AbortSignal): Promise<void> {
    return this.inner.putManifest(reference, manifest, signal);
  }

  ensureBlob(
    repository: Repository,
    descriptor: Descriptor,
    open: (part?: BlobPart) => AsyncIterable<Buffer>,
    options: Parameters<Registry['ensureBlob']>[3],
  ): Promise<UploadResult> {
    return this.inner.ensureBlob(repository, descriptor, open, options);
  }

  forget(repository: Repository): void {
    this.inner.forget(repository);
  }

  keepsTag(reference: Reference, signal?: AbortSignal): Promise<boolean> {
    return this.inner.keepsTag(reference, signal);
  }

  probePush(repository: Repository, signal?: AbortSignal): Promise<void> {
    return this.inner.probePush(repository, signal);
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  /** The first place that has it; what the named place said when none has, unless another may have it later. */
  async #any<T>(
    repository: Repository,
    signal: AbortSignal | undefined,
    ask: (place: Repository) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const refusals = new Map<string, FactoryError>();
    const places = this.#placesOf(repository);
    for (const { prefix, place } of this.#unlimitedFirst(places)) {
      try {
        const found = await ask(place);
        if (found !== undefined) return found;
      } catch (error) {
        if (signal?.aborted || !(error instanceof FactoryError)) throw error;
        if (error.type === 'RegistryRateLimited')
          this.#limited.set(prefix, performance.now() + (error.retryAfterMs ?? LIMITED_MS));
        refusals.set(prefix, error);
      }
    }
    const [own, ...others] = places.map(({ prefix }) => refusals.get(prefix));
    // A place that lets us in to nothing has no say in what the named one does not have; one that is down may have it.
    const fault = own ?? others.find((error) => error?.retryable);
    if (fault !== undefined) throw fault;
    return undefined;
  }

  /** Where a repository lies: as it was named, then below each other prefix in their order. */
  #placesOf({ host, path }: Repository): { prefix: string; place: Repository }[] {
    const name = `${host}/${path}`;
    // The longest, where one prefix lies below another.
    const [own] = this.prefixes
      .filter((prefix) => name.startsWith(`${prefix}/`))
      .sort((a, b) => b.length - a.length);
    const named = { prefix: own ?? host, place: { host, path } };
    if (own === undefined) return [named];
    const rest = name.slice(own.length + 1);
    const others = this.prefixes.filter((prefix) => prefix !== own);
    return [named, ...others.map((prefix) => ({ prefix, place: repositoryIn(prefix, rest) }))];
  }

  #unlimitedFirst<P extends { prefix: string }>(places: readonly P[]): P[] {
    const isLimited = ({ prefix }: P): boolean => (this.#limited.get(prefix) ?? 0) > performance.now();
    return [...places.filter((place) => !isLimited(place)), ...places.filter(isLimited)];
  }
}
