/** Runs work in one of the lanes. @throws what the work throws; the signal's reason if it fired while waiting */
export type Turn = <T>(signal: AbortSignal, work: () => Promise<T>) => Promise<T>;

interface Waiting {
  order: number;
  go(): void;
}

/** Bounds what is under way at once, in the order in which it joined; what is cancelled leaves the line. */
export class Lanes {
  #joined = 0;
  #free: number;
  #waiting: Waiting[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** A place in the line, for all work of one kind, such as an image's blobs: it goes before that of later ones. */
  join(): Turn {
    const order = this.#joined++;
    return async (signal, work) => {
      await this.#enter(order, signal);
      try {
        signal.throwIfAborted();
        return await work();
      } finally {
        this.#leave();
      }
    };
  }

  async #enter(order: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    // A signal of our own: many may wait on one, such as an image's blobs, and Node warns at eleven listeners.
    const own = AbortSignal.any([signal]);
    await new Promise<void>((resolve, reject) => {
      const giveUp = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        reject(signal.reason);
      };
      const waiting: Waiting = {
        order,
        go: () => {
          own.removeEventListener('abort', giveUp);
          resolve();
        },
      };
      own.addEventListener('abort', giveUp, { once: true });
      const later = this.#waiting.findIndex((other) => other.order > order);
      this.#waiting.splice(later < 0 ? this.#waiting.length : later, 0, waiting);
    });
  }

  /** The lane goes to the next in line, or is free. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next.go();
  }
}
