import type { Digest } from '../contract/brand.js';
import { unlessAborted } from '../registry/auth.js';
import type { Repository } from '../registry/reference.js';

/** The most blobs that are remembered; the oldest are forgotten. */
const MAX_ENTRIES = 20_000;

const keyOf = ({ host }: Repository, digest: Digest): string => `${host} ${digest}`;

/**
 * Which repository of a registry is known to hold a blob, so that another repository there can mount it instead of
 * being sent it. Memory of one worker, and only a hint: a registry that can't mount is sent the blob.
 */
export class BlobLocations {
  readonly #paths = new Map<string, string>();
  /** Blobs on their way to a registry that is not known to have them. These promises never reject. */
  readonly #coming = new Map<string, Promise<void>>();

  /**
   * Runs `bring`, with another repository of the same host that has the blob where one is known. What images share is
   * brought to a host once: while one of them brings it, the others wait, and then mount it.
   * @throws what `bring` throws; the signal's reason if it fired while waiting
   */
  async bring<T>(
    repository: Repository,
    digest: Digest,
    signal: AbortSignal,
    bring: (mountFrom: Repository | undefined) => Promise<T>,
  ): Promise<T> {
    const key = keyOf(repository, digest);
    for (;;) {
      const coming = this.#coming.get(key);
      if (this.#paths.has(key) || coming === undefined) break;
      await unlessAborted(coming, signal);
    }
    const known = this.#paths.has(key);
    const work = bring(this.find(repository, digest));
    const ended = work.then(
      () => this.add(repository, digest),
      () => undefined,
    );
    if (!known) this.#coming.set(key, ended);
    try {
      return await work;
    } finally {
      await ended;
      if (!known) this.#coming.delete(key);
    }
  }

  add(repository: Repository, digest: Digest): void {
    const key = keyOf(repository, digest);
    this.#paths.delete(key); // a Map keeps the order of insertion: the newest goes to the end
    this.#paths.set(key, repository.path);
    if (this.#paths.size > MAX_ENTRIES) {
      const oldest = this.#paths.keys().next();
      if (!oldest.done) this.#paths.delete(oldest.value);
    }
  }

  /** A repository of the same host that has the blob, other than the one asked for. */
  find(repository: Repository, digest: Digest): Repository | undefined {
    const from = this.#paths.get(keyOf(repository, digest));
    return from === undefined || from === repository.path ? undefined : { host: repository.host, path: from };
  }
}
