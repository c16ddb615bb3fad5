import { randomUUID } from 'node:crypto';
import { setTimeout as passed } from 'node:timers/promises';
import { z } from 'zod';
import { metered, TrafficMeter } from '../registry/traffic.js';
import type { EvidenceStore } from '../store/evidence.js';

/** A worker that is killed takes at most so much of its counts with it. */
const SAVE_EVERY_MS = 10_000;
const SAVE_WITHIN_MS = 5_000;
/** Counts are not worth a step's time, least of all when it is cancelled or handed back: a slow store has them later. */
const WAIT_MS = 1_000;
/** Plans and runs that were terminated never have a report, after which they would be forgotten. */
const MAX_RUNS = 50;

const folderOf = (runId: string): string => `runs/${runId}/traffic/`;

/** What one worker asked of registries for one run, in a file of its own, so that workers and restarts add up. */
class RunCounts {
  readonly meter = new TrafficMeter();
  readonly #key: string;
  #saved = JSON.stringify([]);
  #last: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(
    private readonly evidence: EvidenceStore,
    runId: string,
  ) {
    this.#key = `${folderOf(runId)}${randomUUID()}.json`;
  }

  /** One write at a time; whoever comes meanwhile waits for the next one, which has the counts of all of them. */
  save(): Promise<void> {
    this.#next ??= this.#last.then(() => {
      this.#next = undefined;
      this.#last = this.#write();
      return this.#last;
    });
    return this.#next;
  }

  async #write(): Promise<void> {
    const text = JSON.stringify(this.meter.stats());
    if (text === this.#saved) return;
    try {
      await this.evidence.put(this.#key, text, AbortSignal.timeout(SAVE_WITHIN_MS));
      this.#saved = text;
    } catch {
      // The next save has them too, and a store that stays away fails what really needs it.
    }
  }
}

/** Counts, for each run that a worker works for, what goes to and comes from registries. One for a worker. */
export class RunTraffic {
  readonly #runs = new Map<string, RunCounts>();

  constructor(private readonly evidence: EvidenceStore) {}

  /** Runs a step of a run; what it asked of registries is saved when it ends, however it ends. */
  async count<T>(runId: string, step: () => Promise<T>): Promise<T> {
    const counts = this.#of(runId);
    const timer = setInterval(() => void counts.save(), SAVE_EVERY_MS);
    try {
      return await metered(counts.meter, step);
    } finally {
      clearInterval(timer);
      await Promise.race([counts.save(), passed(WAIT_MS, undefined, { ref: false })]);
    }
  }

  /** The run has its report: nothing more is counted for it. */
  forget(runId: string): void {
    this.#runs.delete(runId);
  }

  #of(runId: string): RunCounts {
    const counts = this.#runs.get(runId) ?? new RunCounts(this.evidence, runId);
    this.#runs.delete(runId);
    this.#runs.set(runId, counts); // as the newest
    const [oldest] = this.#runs.keys();
    if (this.#runs.size > MAX_RUNS && oldest !== undefined) this.#runs.delete(oldest);
    return counts;
  }
}

const countsSchema = z.array(
  z.object({
    host: z.string().max(300),
    requests: z.int().min(0),
    bytesIn: z.int().min(0),
    bytesOut: z.int().min(0),
    limited: z.int().min(0),
    remaining: z.int().min(0).nullable(),
  }),
);
export type HostTraffic = z.infer<typeof countsSchema>[number];

/** Where a run's counts lie; those of more workers than this would be a mistake. */
export async function trafficKeys(
  evidence: EvidenceStore,
  runId: string,
  signal?: AbortSignal,
): Promise<string[]> {
  return (await evidence.list(folderOf(runId), signal)).slice(0, 500);
}

/** The sum of what workers counted, busiest host first. A file that is damaged counts nothing. */
export function sumTraffic(files: readonly Buffer[]): HostTraffic[] {
  const sum = new TrafficMeter();
  for (const { host, requests, bytesIn, bytesOut, limited, remaining } of files.flatMap(countsOf)) {
    const stats = sum.of(host);
    stats.requests += requests;
    stats.bytesIn += bytesIn;
    stats.bytesOut += bytesOut;
    stats.limited += limited;
    // Each worker has what it was told last: the least is the safe one to show.
    if (remaining !== null) stats.remaining = Math.min(remaining, stats.remaining ?? remaining);
  }
  const bytes = (one: HostTraffic): number => one.bytesIn + one.bytesOut;
  return sum.stats().sort((a, b) => bytes(b) - bytes(a) || b.requests - a.requests);
}

function countsOf(file: Buffer): HostTraffic[] {
  try {
    return countsSchema.safeParse(JSON.parse(file.toString('utf8'))).data ?? [];
  } catch {
    return [];
  }
}
