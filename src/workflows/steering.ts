import {
  CancellationScope,
  CancelledFailure,
  condition,
  defineUpdate,
  setHandler,
} from '@temporalio/workflow';
import { MAX_CONCURRENCY, type SteeringState, UPDATE } from '../contract/steering.js';

const pauseUpdate = defineUpdate<SteeringState>(UPDATE.pause);
const resumeUpdate = defineUpdate<SteeringState>(UPDATE.resume);
const setConcurrencyUpdate = defineUpdate<SteeringState, [number]>(UPDATE.setConcurrency);

/**
 * Bounds how many images are in work, and lets a person change that while the run goes: pause, resume, another bound.
 * The image that ends lets the next in, so a slow one holds back none.
 */
export class Steering {
  #paused = false;
  #limit = 1;
  #running = 0;
  /** Waiting or in work. */
  #pending = 0;
  #closed = false;
  #failure: { reason: unknown } | null = null;

  /** @param onChange called after every change, to show it. */
  constructor(private readonly onChange: () => void) {
    // Validators are synchronous: what they refuse never enters the history.
    setHandler(
      pauseUpdate,
      () =>
        this.#change(() => {
          this.#paused = true;
        }),
      { validator: () => this.#assertOpen() },
    );
    setHandler(
      resumeUpdate,
      () =>
        this.#change(() => {
          this.#paused = false;
        }),
      { validator: () => this.#assertOpen() },
    );
    setHandler(
      setConcurrencyUpdate,
      (limit) =>
        this.#change(() => {
          this.#limit = limit;
        }),
      {
        validator: (limit) => {
          this.#assertOpen();
          if (!Number.isInteger(limit) || limit < 1 || limit > MAX_CONCURRENCY) {
            throw new Error(`a whole number from 1 to ${MAX_CONCURRENCY} is wanted`);
          }
        },
      },
    );
  }

  /** Takes the run's own bound, or what a person had set before a continue-as-new. */
  configure({ paused, maxConcurrency }: Pick<SteeringState, 'paused' | 'maxConcurrency'>): void {
    this.#paused = paused;
    this.#limit = maxConcurrency;
  }

  /** From here on there is nothing left to steer. */
  close(): void {
    this.#closed = true;
  }

  state(): SteeringState {
    return { version: 1, paused: this.#paused, maxConcurrency: this.#limit, running: this.#running };
  }

  /** Runs `work` as soon as there is room. What it throws is thrown by {@link drained}. */
  start(work: () => Promise<void>): void {
    this.#pending++;
    this.#run(work)
      .catch((reason: unknown) => {
        this.#failure ??= { reason };
      })
      .finally(() => {
        this.#pending--;
      });
  }

  /** Waits until fewer than one more full set is waiting, so that planning keeps ahead of the work, but not far. */
  async hasRoom(): Promise<void> {
    await condition(() => this.#pending - this.#running < this.#limit);
  }

  /** Waits until everything that was started has ended, also when the run is cancelled. @throws what a work threw */
  async drained(): Promise<void> {
    await CancellationScope.nonCancellable(() => condition(() => this.#pending === 0));
    if (this.#failure) throw this.#failure.reason;
    // A child's cancellation is its image's outcome; that it was the run which was cancelled shows here.
    if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('the run was cancelled');
  }

  async #run(work: () => Promise<void>): Promise<void> {
    // Asked again after each wait: freed room wakes all that wait, and is one's only.
    while (!this.#hasPermit()) await condition(() => this.#hasPermit());
    this.#running++;
    try {
      await work();
    } finally {
      this.#running--;
    }
  }

  #hasPermit(): boolean {
    return !this.#paused && this.#running < this.#limit;
  }

  #change(change: () => void): SteeringState {
    change();
    this.onChange();
    return this.state();
  }

  #assertOpen(): void {
    if (this.#closed) throw new Error('the images are done: there is nothing left to steer');
  }
}
