/** What every long step gets: a way to be stopped, and a way to show that it is alive. */
export interface StepContext {
  signal: AbortSignal;
  /** Called as often as one likes; the activity turns it into a throttled heartbeat. */
  progress(detail: StepProgress): void;
}

/** Heartbeat details: no name, path or secret, only how far it is. */
export interface StepProgress {
  phase: string;
  bytes?: number;
  total?: number;
}
