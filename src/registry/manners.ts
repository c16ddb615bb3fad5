import { setTimeout as delay } from 'node:timers/promises';
import { FactoryError } from '../common/errors.js';
import { parseRetryAfter } from './errors.js';
import { currentMeter, type HostStats, noTraffic } from './traffic.js';

/** Waiting longer than this is for whoever can tell the user about it. */
const MAX_WAIT_MS = 60_000;
/** Where no Retry-After comes: the first pause, doubled each time up to the last. */
const PAUSE_MS = { first: 1000, last: 30_000 };
/** A limit with less than this left is spread over its window. */
const FEW = 10;
const MAX_SPREAD_MS = 10_000;

/** Times are on the monotonic clock: a wall clock that is set back by days must not close a host for days. */
interface Host {
  stats: HostStats;
  /** No request before this time. */
  openAt: number;
  pauseMs: number;
  /** No request that counts before this time, and how far apart they go. */
  countedAt: number;
  spreadMs: number;
}

/**
 * What hosts ask of us, obeyed across everything that shares this object: a 429 slows the host for all, and a pull limit
 * that runs low is spread (Docker Hub, "Usage and limits": `ratelimit-remaining: 76;w=21600`, counted by GETs of
 * manifests). Give one to all clients of a worker.
 */
export class Manners {
  readonly #hosts = new Map<string, Host>();

  /**
   * Waits until the host may be asked. Call it before each request.
   * @param counts whether the request is one that pull limits count.
   * @throws FactoryError `RegistryRateLimited` when that is more than 60 s away; the signal's reason if it fired
   */
  async turn(host: string, counts: boolean, signal: AbortSignal | undefined): Promise<void> {
    const own = this.#of(host);
    for (;;) {
      const now = performance.now();
      const waitMs = Math.max(own.openAt, counts ? own.countedAt : 0) - now;
      if (waitMs > MAX_WAIT_MS) throw limited(host, waitMs);
      if (waitMs <= 0) {
        if (counts) own.countedAt = now + own.spreadMs;
        for (const stats of this.#tallies(host)) stats.requests++;
        return;
      }
      await pause(waitMs, signal); // and looks again: it may have got later
    }
  }

  /** Takes in what the host says about its limits. */
  learn(host: string, answer: { status: number; header(name: string): string | undefined }): void {
    const own = this.#of(host);
    const said = /^(\d+)(?:;\s*w=(\d+))?/.exec(answer.header('ratelimit-remaining') ?? '');
    if (said !== null) {
      const left = Number(said[1]);
      for (const stats of this.#tallies(host)) stats.remaining = left;
      const fair = (Number(said[2] ?? 0) * 1000) / (left + 1);
      own.spreadMs = left < FEW ? Math.min(fair, MAX_SPREAD_MS) : 0;
      own.countedAt = own.spreadMs === 0 ? 0 : Math.max(own.countedAt, performance.now() + own.spreadMs);
    }
    const retryAfterMs = parseRetryAfter(answer.header('retry-after'));
    if (answer.status === 429 || (answer.status === 503 && retryAfterMs !== undefined)) {
      for (const stats of this.#tallies(host)) stats.limited++;
      own.pauseMs = Math.min(Math.max(own.pauseMs * 2, PAUSE_MS.first), PAUSE_MS.last);
      own.openAt = Math.max(own.openAt, performance.now() + (retryAfterMs ?? own.pauseMs));
    } else if (answer.status < 400) own.pauseMs = 0;
  }

  /** Counts bytes of a host for whoever asks for the counter: streams call it from anywhere. */
  counter(host: string): (bytes: { in?: number; out?: number }) => void {
    const tallies = this.#tallies(host);
    return (bytes) => {
      for (const stats of tallies) {
        stats.bytesIn += bytes.in ?? 0;
        stats.bytesOut += bytes.out ?? 0;
      }
    };
  }

  /** One entry per host that was asked, in the order of the first request. */
  stats(): HostStats[] {
    return [...this.#hosts.values()].map(({ stats }) => ({ ...stats }));
  }

  /** The worker's counters, and those of the work that asks. */
  #tallies(host: string): HostStats[] {
    const own = this.#of(host).stats;
    const meter = currentMeter();
    return meter === undefined ? [own] : [own, meter.of(host)];
  }

  #of(host: string): Host {
    const known = this.#hosts.get(host);
    if (known !== undefined) return known;
    const made: Host = { stats: noTraffic(host), openAt: 0, pauseMs: 0, countedAt: 0, spreadMs: 0 };
    this.#hosts.set(host, made);
    return made;
  }
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    // A signal of our own: hundreds may wait on a caller's, and Node warns at eleven listeners.
    await delay(Math.ceil(ms), undefined, signal === undefined ? {} : { signal: AbortSignal.any([signal]) });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

const limited = (host: string, retryAfterMs: number): FactoryError =>
  new FactoryError(
    'RegistryRateLimited',
    `${host} limits our requests for another ${Math.ceil(retryAfterMs / 1000)} s: wait, or log in for a higher limit`,
    { retryAfterMs },
  );
