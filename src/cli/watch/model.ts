import { FAILING_OUTCOMES } from '../../contract/outcome.js';
import type { RunProgress } from '../../contract/progress.js';
import type { Retry } from '../pending.js';
import type { Frame, Transfer, WarningRow, WorkRow } from './frame.js';
import type { ImageLook, Look } from './looks.js';

/** Rates are of the last seconds: a heartbeat comes every one to two, so this is a few of them. */
const RATE_WINDOW_MS = 6_000;
/** From less than this between two samples no rate is told. */
const RATE_SPAN_MS = 900;
/** A person reads the newest few. */
const WARNINGS_KEPT = 20;

interface Sample {
  at: number;
  bytes: number;
}

/** What is remembered of an image between two looks. */
interface Series {
  /** Another step, attempt, phase or blob begins a series of its own. */
  key: string;
  beat: string;
  samples: Sample[];
}

/** Turns successive looks at a run into pictures of it: rates and time left need more than one look. */
export class WatchModel {
  readonly #series = new Map<string, Series>();
  readonly #rows = new Map<string, WorkRow>();
  readonly #warnings = new Map<string, WarningRow>();
  #run: RunProgress | undefined;
  #look: Look | undefined;

  constructor(private readonly workflowId: string) {}

  /** @param now when the look was, in milliseconds */
  add(look: Look, now: number): void {
    this.#look = look;
    if (look.run !== undefined) this.#run = look.run;
    this.#warn('', look.retries);
    for (const image of look.images) {
      this.#warn(image.image, image.retries);
      this.#rows.set(image.workflowId, this.#workRow(image, now));
    }
    const inWork = new Set(this.#run?.running.map(({ workflowId }) => workflowId));
    for (const id of this.#rows.keys()) {
      if (inWork.has(id)) continue;
      this.#rows.delete(id);
      this.#series.delete(id);
    }
  }

  /** The picture as of `now`. */
  frame(now: number): Frame {
    const run = this.#run;
    const look = this.#look;
    const newestFirst = run?.finished.map(({ image, kind, note }) => ({ image, kind, note })).reverse() ?? [];
    const bad = ({ kind }: (typeof newestFirst)[number]): boolean => FAILING_OUTCOMES.includes(kind);
    const ended = look?.endedAt != null;
    const working = ended
      ? []
      : (run?.running ?? []).map((open) => this.#rows.get(open.workflowId) ?? began(open));
    return {
      workflowId: this.workflowId,
      phase: run?.phase ?? null,
      paused: run?.paused === true && !ended,
      done: Object.values(run?.counts ?? {}).reduce((sum, count) => sum + count, 0),
      images: run?.images ?? 0,
      elapsedMs: look === undefined ? 0 : (look.endedAt ?? now) - look.startedAt,
      counts: run?.counts ?? {},
      notice: look !== undefined && look.run === undefined && !ended ? 'no worker answers just now' : '',
      transfer: together(working),
      working,
      attention: newestFirst.filter(bad),
      warnings: [...this.#warnings.values()].reverse(),
      finished: newestFirst.filter((row) => !bad(row)),
    };
  }

  #workRow(look: ImageLook, now: number): WorkRow {
    const { image, workflowId, said } = look;
    // Between two steps nothing is pending for a moment; the row would only flicker.
    const step = look.step ?? this.#rows.get(workflowId)?.step ?? null;
    const doing = said === null || said.phase === 'start' || said.phase === step ? '' : said.phase;
    const transfer =
      said?.bytes === undefined || !said.total
        ? null
        : this.#transfer(look, said.phase, Math.min(said.bytes, said.total), said.total, now);
    return { image, step, doing, transfer };
  }

  #transfer(look: ImageLook, phase: string, bytes: number, total: number, now: number): Transfer {
    const { workflowId, step, attempt, beat } = look;
    const key = `${step} ${attempt} ${phase} ${total}`;
    const before = this.#series.get(workflowId);
    const goesOn = before?.key === key && bytes >= (before.samples.at(-1)?.bytes ?? 0);
    const series = goesOn ? before : { key, beat: '', samples: [] };
    // Looks come more often than heartbeats: one without news is no sample, or the rate would swing.
    if (series.beat !== beat) series.samples.push({ at: now, bytes });
    series.beat = beat;
    series.samples = series.samples.filter(({ at }) => at >= now - RATE_WINDOW_MS);
    this.#series.set(workflowId, series);
    // All is sent, and the other side works on it: neither a speed nor a time left would be true.
    const rate = bytes === total ? null : rateOf(series.samples);
    return { bytes, total, rate, leftMs: leftMs(total - bytes, rate) };
  }

  #warn(image: string, retries: readonly Retry[]): void {
    for (const retry of retries) {
      const reason = `${image} ${retry.activity} ${retry.message}`;
      // The same reason again is the same line with another count.
      this.#warnings.set(reason, { image, ...retry });
      const [oldest] = this.#warnings.keys();
      if (this.#warnings.size > WARNINGS_KEPT && oldest !== undefined) this.#warnings.delete(oldest);
    }
  }
}

const began = ({ image }: { image: string }): WorkRow => ({ image, step: null, doing: '', transfer: null });

function rateOf(samples: readonly Sample[]): number | null {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined || last.at - first.at < RATE_SPAN_MS) return null;
  return ((last.bytes - first.bytes) / (last.at - first.at)) * 1000;
}

const leftMs = (bytes: number, rate: number | null): number | null => (rate ? (bytes / rate) * 1000 : null);

function together(rows: readonly WorkRow[]): Transfer | null {
  const transfers = rows.flatMap(({ transfer }) => transfer ?? []);
  if (transfers.length === 0) return null;
  const sum = (pick: (transfer: Transfer) => number): number =>
    transfers.reduce((all, one) => all + pick(one), 0);
  const bytes = sum((one) => one.bytes);
  const total = sum((one) => one.total);
  const rate = transfers.every((one) => one.rate === null) ? null : sum((one) => one.rate ?? 0);
  return { bytes, total, rate, leftMs: leftMs(total - bytes, rate) };
}
