import { FAILURES, type FailureType } from '../contract/failure.js';

/** An error that a user can act on: a stable type, one sentence that says what to do, and no secret in either. */
export class FactoryError extends Error {
  readonly type: FailureType;
  /** How long the other side asked us to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  readonly #attempts: number | undefined;

  /** @param options.attempts how many times it is worth trying, where that is not a matter of its type alone */
  constructor(
    type: FailureType,
    message: string,
    options: { cause?: unknown; retryAfterMs?: number; attempts?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = type;
    this.type = type;
    this.retryAfterMs = options.retryAfterMs;
    this.#attempts = options.attempts;
  }

  /** Whether the same call can succeed later. */
  get retryable(): boolean {
    return FAILURES[this.type].retryable;
  }

  /** How many times it is worth trying; infinite where only time bounds it. */
  get attempts(): number {
    const failure: { retryable: boolean; attempts?: number } = FAILURES[this.type];
    return this.#attempts ?? failure.attempts ?? Number.POSITIVE_INFINITY;
  }
}

/** The message of anything that was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
