import { findBlob } from './blobs.js';
import type { Exchange } from './exchange.js';
import type { Repository } from './reference.js';
import { abandonSession, mount } from './session.js';
import { asksByMount, WHOLE_BYTES } from './traits.js';
import type { Descriptor, Registry, UploadResult } from './types.js';
import type { Uploader } from './upload.js';

type Options = Parameters<Registry['ensureBlob']>[3] & {
  /** A look (HEAD) comes first. */
  doubted: boolean;
  /** The longest time without a byte sent, in milliseconds. */
  idleMs: number;
};

/** Brings blobs to where they belong, with as few requests as their host allows. */
export class Placing {
  readonly #exchange: Exchange;
  readonly #uploader: Uploader;
  /** Hosts that have shown that they don't mount, so that their 202 does not mean that a blob is not there. */
  readonly #mountless = new Set<string>();

  constructor(exchange: Exchange, uploader: Uploader) {
    this.#exchange = exchange;
    this.#uploader = uploader;
  }

  /**
   * Mounts, finds or sends a blob. For one that is small, "Is it there?" and "Where do I send it?" are one request, where
   * the host takes that: a mount of the repository from itself. Else a HEAD comes first, which also spares a new session
   * where one of before is gone on with.
   * @throws FactoryError as {@link Registry.ensureBlob}
   */
  async place(
    repository: Repository,
    descriptor: Descriptor,
    open: Parameters<Registry['ensureBlob']>[2],
    { mountFrom, signal, onBytes, doubted, idleMs }: Options,
  ): Promise<UploadResult> {
    const { host, path } = repository;
    const isThere = async (): Promise<boolean> => {
      const found = await findBlob(this.#exchange, repository, descriptor.digest, 'push', signal);
      return found !== undefined && (found.size ?? descriptor.size) === descriptor.size;
    };
    const other = mountFrom?.host === host && mountFrom.path !== path ? mountFrom : undefined;
    const small = descriptor.size <= WHOLE_BYTES;
    const itself = small && asksByMount(host) && !this.#mountless.has(host) ? repository : undefined;
    const asked = doubted || (other ?? itself) === undefined;
    if (asked && (await isThere())) return { how: 'present' };
    const from = other ?? (asked ? undefined : itself);
    const opened = from && (await mount(this.#exchange, repository, descriptor.digest, from, signal));
    if (opened === 'mounted') return { how: other ? 'mounted' : 'present' };
    // A registry without mounts answers 202 to each: without this look every push would send everything again.
    if (!asked && (other !== undefined || opened === undefined)) {
      if (opened === undefined) this.#mountless.add(host);
      if (await isThere()) {
        this.#mountless.add(host);
        if (opened !== undefined) await abandonSession(this.#exchange, repository, opened.url, signal);
        return { how: 'present' };
      }
    }
    await this.#uploader.send({ repository, descriptor, open, signal, onBytes, idleMs }, opened);
    return { how: 'uploaded' };
  }
}
