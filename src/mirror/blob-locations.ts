import type { Digest } from '../contract/brand.js';
import type { Repository } from '../registry/reference.js';

/** The most blobs that are remembered; the oldest are forgotten. */
const MAX_ENTRIES = 20_000;

/**
 * Which repository of a registry is known to hold a blob, so that another repository there can mount it instead of
 * being sent it. Memory of one worker, and only a hint: a registry that can't mount is sent the blob.
 */
export class BlobLocations {
  readonly #paths = new Map<string, string>();

  add({ host, path }: Repository, digest: Digest): void {
    const key = `${host} ${digest}`;
    this.#paths.delete(key); // a Map keeps the order of insertion: the newest goes to the end
    this.#paths.set(key, path);
    if (this.#paths.size > MAX_ENTRIES) {
      const oldest = this.#paths.keys().next();
      if (!oldest.done) this.#paths.delete(oldest.value);
    }
  }

  /** A repository of the same host that has the blob, other than the one asked for. */
  find({ host, path }: Repository, digest: Digest): Repository | undefined {
    const from = this.#paths.get(`${host} ${digest}`);
    return from === undefined || from === path ? undefined : { host, path: from };
  }
}
