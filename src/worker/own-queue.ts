import { randomUUID } from 'node:crypto';
import type { Worker } from '@temporalio/worker';

/**
 * A task queue that only this worker polls: for steps that go on with what it has built, which no other has. It is begun
 * when it is first needed, since most workers never build.
 */
export class OwnQueue {
  readonly #name: string;
  readonly #create: (taskQueue: string) => Promise<Worker>;
  #running: Promise<{ end: Promise<void> }> | undefined;

  /** @param shared the queue of all workers */
  constructor(shared: string, create: (taskQueue: string) => Promise<Worker>) {
    this.#name = `${shared}/${randomUUID()}`;
    this.#create = create;
  }

  /** Its name, once it is polled. @throws what creating a worker throws */
  async name(): Promise<string> {
    this.#running ??= this.#begin();
    await this.#running;
    return this.#name;
  }

  /** Settles when its worker has ended, which a signal makes it do as it does the other. */
  async ended(): Promise<void> {
    const running = await this.#running?.catch(() => undefined);
    await running?.end;
  }

  async #begin(): Promise<{ end: Promise<void> }> {
    try {
      const worker = await this.#create(this.#name);
      const end = worker.run();
      end.catch(() => undefined); // `ended` throws it
      return { end };
    } catch (error) {
      this.#running = undefined; // the next build tries again
      throw error;
    }
  }
}
