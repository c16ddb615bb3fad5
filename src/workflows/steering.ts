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
  /** What a person has set, which {@link configure} leaves as it is. */
  readonly #steered = { paused: false, limit: false };
  /** Why there is nothing left to steer. */
  #closed: string | null = null;
  #failure: { reason: unknown } | null = null;

  /** @param onChange called after every change, to show it. */
  constructor(private readonly onChange: () => void) {}

  /**
   * Takes updates from here on. In the execution's first task, or the SDK refuses those that came with its start; and
   * not in the constructor, since those are handed over at once, when whoever shows the change isn't whole yet.
   */
  listen(): void {
    // Validators are synchronous: what they refuse never enters the history.
    const options = { validator: () => this.#assertOpen() };
    setHandler(pauseUpdate, () => this.#setPaused(true), options);
    setHandler(resumeUpdate, () => this.#setPaused(false), options);
    setHandler(
      setConcurrencyUpdate,
      (limit) => {
        this.#limit = limit;
        this.#steered.limit = true;
        return this.#changed();
      },
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

  /** Takes the run's own bound, or what a person had set before a continue-as-new; what they set since then stays. */
  configure({ paused, maxConcurrency }: Pick<SteeringState, 'paused' | 'maxConcurrency'>): void {
    if (!this.#steered.paused) this.#paused = paused;
    if (!this.#steered.limit) this.#limit = maxConcurrency;
  }

  /** From here on there is nothing left to steer. @param why what a person who tries is told */
  close(why: string): void {
    this.#closed = why;
  }

  /** Waits while a person has paused the run. */
  async resumed(): Promise<void> {
    await condition(() => !this.#paused);
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

  #setPaused(paused: boolean): SteeringState {
    this.#paused = paused;
    this.#steered.paused = true;
    return this.#changed();
  }

  #changed(): SteeringState {
    this.onChange();
    return this.state();
  }

  #assertOpen(): void {
    if (this.#closed !== null) throw new Error(`${this.#closed}: there is nothing left to steer`);
  }
}
