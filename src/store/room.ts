import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { FactoryError } from '../common/errors.js';
import type { Claims } from './claims.js';
import type { Leases } from './leases.js';
import { codeOf } from './writers.js';

/** Other processes write too, so what is used is counted anew after this share of the limit. */
const RECOUNT_SHARE = 0.05;
const STATS_AT_ONCE = 16;
/** Of a file whose size nobody knows yet, so much room is made ahead of what is written, and no more than that share. */
const STEP_BYTES = 64 << 20;
const BLOB_NAME = /^[a-f0-9]{64}$/;

interface StoredBlob {
  path: string;
  digest: string;
  size: number;
  usedMs: number;
}

/** Room for a file that grows. */
export interface GrowingRoom {
  /** Makes room for so many bytes in all. @throws FactoryError `DiskFull` when the whole store may not have as many */
  upTo(bytes: number): Promise<void>;
  /** The file is gone, or has become a blob that has room of its own. */
  end(): void;
}

/** Keeps the blobs of a content store under a size: those not used for longest go, except leased ones. */
export class Room {
  private readonly oneAtATime = pLimit(1);
  private usedBytes = 0;
  /** What is being written now, and so not yet among the blobs. */
  private reservedBytes = 0;
  private sinceCount = Number.POSITIVE_INFINITY;

  constructor(
    private readonly blobs: string,
    private readonly maxBytes: number,
    private readonly leases: Leases,
    /** What is left of downloads that broke off. */
    private readonly parts: Claims,
  ) {}

  /**
   * Makes room for a blob. Call the returned function once it is written (`true`) or not.
   * @throws FactoryError `DiskFull` when it is larger than the whole store may be.
   */
  async reserve(bytes: number): Promise<(written: boolean) => void> {
    this.assertFits(bytes);
    this.reservedBytes += bytes;
    const settle = (written: boolean): void => {
      this.reservedBytes -= bytes;
      if (!written) return;
      this.usedBytes += bytes;
      this.sinceCount += bytes;
    };
    try {
      await this.oneAtATime(async () => {
        const recent = this.sinceCount <= this.maxBytes * RECOUNT_SHARE;
        if (recent && this.excess() <= 0) return;
        const stored = await this.count();
        if (this.excess() > 0) await this.evict(stored, this.excess());
      });
    } catch (error) {
      settle(false);
      throw error;
    }
    return settle;
  }

  /** Like {@link reserve}, for a file whose size shows only when it is written. */
  growing(): GrowingRoom {
    const settles: ((written: boolean) => void)[] = [];
    let reserved = 0;
    let ended = false;
    return {
      upTo: async (bytes) => {
        if (bytes <= reserved) return;
        this.assertFits(bytes);
        const step = Math.min(
          STEP_BYTES,
          Math.floor(this.maxBytes * RECOUNT_SHARE),
          this.maxBytes - reserved,
        );
        const more = Math.max(bytes - reserved, step);
        reserved += more;
        const settle = await this.reserve(more);
        // Its writer was stopped meanwhile.
        if (ended) settle(false);
        else settles.push(settle);
      },
      end: () => {
        ended = true;
        for (const settle of settles.splice(0)) settle(false);
      },
    };
  }

  /** The disk is full below our own limit: gives up at least as many bytes, so that another attempt has them. */
  async giveUp(bytes: number): Promise<void> {
    await this.oneAtATime(async () => this.evict(await this.count(), bytes));
  }

  private assertFits(bytes: number): void {
    if (bytes <= this.maxBytes) return;
    const message = `A blob of ${bytes} bytes does not fit into the content store of ${this.maxBytes}: raise CONTENT_MAX_GB.`;
    throw new FactoryError('DiskFull', message);
  }

  private excess(): number {
    return this.usedBytes + this.reservedBytes - this.maxBytes;
  }

  private async count(): Promise<StoredBlob[]> {
    const names = (await readdir(this.blobs)).filter((name) => BLOB_NAME.test(name));
    const found = await pLimit(STATS_AT_ONCE).map(names, async (name): Promise<StoredBlob[]> => {
      const path = join(this.blobs, name);
      const stats = await stat(path).catch((error: unknown) => {
        if (codeOf(error) !== 'ENOENT') throw error; // else another process has just evicted it
      });
      return stats === undefined
        ? []
        : [{ path, digest: `sha256:${name}`, size: stats.size, usedMs: stats.mtimeMs }];
    });
    const parts = await this.parts.unclaimed();
    const stored = [
      ...found.flat(),
      ...parts.map(({ key, modifiedMs, ...one }) => ({
        ...one,
        digest: `sha256:${key}`,
        usedMs: modifiedMs,
      })),
    ];
    this.usedBytes = stored.reduce((sum, { size }) => sum + size, 0);
    this.sinceCount = 0;
    return stored;
  }

  private async evict(stored: StoredBlob[], bytes: number): Promise<void> {
    const leased = await this.leases.current();
    let left = bytes;
    for (const { path, digest, size } of stored.toSorted((a, b) => a.usedMs - b.usedMs)) {
      if (left <= 0) return;
      if (leased.has(digest)) continue;
      await rm(path, { force: true });
      this.usedBytes -= size;
      left -= size;
    }
  }
}
