import { AsyncLocalStorage } from 'node:async_hooks';

/** What went to and came from one host. Bytes are those of bodies. */
export interface HostStats {
  /** `host[:port]` as in the URL: redirects lead to other hosts than a reference names. */
  host: string;
  requests: number;
  bytesIn: number;
  bytesOut: number;
  /** How often it asked us to slow down (429, or 503 with Retry-After). */
  limited: number;
  /** What is left of its limit, as it said last; null where it has not said. */
  remaining: number | null;
}

export const noTraffic = (host: string): HostStats => ({
  ...{ host, requests: 0, bytesIn: 0, bytesOut: 0 },
  ...{ limited: 0, remaining: null },
});

/** A registry may send us to as many hosts as it likes; those beyond this are counted together. */
const MAX_HOSTS = 200;
const OTHERS = 'other hosts';

/** Counts what is asked on behalf of one piece of work, such as a run; see {@link metered}. */
export class TrafficMeter {
  readonly #hosts = new Map<string, HostStats>();

  /** The host's counters, to be counted up. */
  of(host: string): HostStats {
    const name = this.#hosts.has(host) || this.#hosts.size < MAX_HOSTS ? host : OTHERS;
    const known = this.#hosts.get(name) ?? noTraffic(name);
    this.#hosts.set(name, known);
    return known;
  }

  /** One entry per host that was asked, in the order of the first request. */
  stats(): HostStats[] {
    return [...this.#hosts.values()].map((stats) => ({ ...stats }));
  }
}

const current = new AsyncLocalStorage<TrafficMeter>();

/** Runs `body` so that every request made on its way is counted by `meter` too. */
export const metered = <T>(meter: TrafficMeter, body: () => Promise<T>): Promise<T> =>
  current.run(meter, body);

/** The meter of the work that asks, if it has one. */
export const currentMeter = (): TrafficMeter | undefined => current.getStore();
