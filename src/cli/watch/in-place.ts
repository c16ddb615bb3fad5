import type { WriteStream } from 'node:tty';

export type Output = Pick<WriteStream, 'write'> &
  Partial<Pick<WriteStream, 'isTTY' | 'columns' | 'rows' | 'on' | 'off'>>;

// The alternate screen: a window that is made narrower wraps no old line of ours, and what was there comes back.
const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const REST_OF_LINE = '\u001b[K';
const REST_OF_SCREEN = '\u001b[J';

/** Ends of the process that come without an `exit` event while nobody listens. */
const ENDS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Whether a picture can be redrawn there. */
export const canRedraw = (output: Output, env: NodeJS.ProcessEnv): boolean =>
  output.isTTY === true && env.TERM !== 'dumb';

/**
 * A screen that is redrawn in place, with a hidden cursor, from `open` to `close`. The terminal is as it was after
 * every end of the process but SIGKILL, and while it is suspended with Ctrl-Z.
 */
export class InPlace {
  #shown = false;
  /** Signals that somebody else decides on, as Ctrl-C, which detaches. */
  #others = new Set<NodeJS.Signals>();

  /** @param draw called when what is on the screen is not right any more: after a resize, and back from Ctrl-Z. */
  constructor(
    private readonly output: Output,
    private readonly draw: () => void,
  ) {}

  open(): void {
    this.#enter();
    process.on('exit', this.#leave);
    // Asked now: a listener for once is gone already when the signal gets to us.
    this.#others = new Set(ENDS.filter((signal) => process.listenerCount(signal) > 0));
    for (const signal of ENDS) process.on(signal, this.#onEnd);
    process.on('SIGTSTP', this.#onSuspend);
    this.output.on?.('resize', this.draw);
  }

  /** The size of the window now. */
  size(): { columns: number; rows: number } {
    return { columns: this.output.columns || 80, rows: this.output.rows || 24 };
  }

  show(lines: readonly string[]): void {
    if (!this.#shown) return;
    const text = lines.map((line) => `${line}${REST_OF_LINE}`).join('\n');
    this.output.write(`${HOME}${text}${REST_OF_SCREEN}`);
  }

  close(): void {
    this.#leave();
    process.off('exit', this.#leave);
    for (const signal of ENDS) process.off(signal, this.#onEnd);
    process.off('SIGTSTP', this.#onSuspend);
    this.output.off?.('resize', this.draw);
  }

  #enter(): void {
    this.#shown = true;
    this.output.write(ENTER);
  }

  readonly #leave = (): void => {
    if (!this.#shown) return;
    this.#shown = false;
    this.output.write(LEAVE);
  };

  readonly #onEnd = (signal: NodeJS.Signals): void => {
    this.close();
    // With nobody else the process ends as it would have without us.
    if (!this.#others.has(signal)) process.kill(process.pid, signal);
  };

  readonly #onSuspend = (): void => {
    this.#leave();
    process.once('SIGCONT', () => {
      this.#enter();
      this.draw();
    });
    process.kill(process.pid, 'SIGSTOP');
  };
}
