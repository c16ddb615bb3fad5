import { condition } from '@temporalio/workflow';

/** Bounds how many pieces of work run at once. The one that ends lets the next in, so a slow one holds back none. */
export class Semaphore {
  #free: number;

  constructor(permits: number) {
    this.#free = permits;
  }

  /** Runs `work` when a permit is free. Cancelling the scope stops the waiting. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    // Asked again after each wait: a freed permit wakes all that wait, and is one's only.
    while (this.#free === 0) await condition(() => this.#free > 0);
    this.#free--;
    try {
      return await work();
    } finally {
      this.#free++;
    }
  }
}
