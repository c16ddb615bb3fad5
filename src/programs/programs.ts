import type { StepContext } from '../common/step.js';
import type { Program } from '../contract/run.js';

/** A program of a template that is to be run. */
export interface ProgramTask {
  program: Program;
  /** What `${…}` in its arguments stands for: names without the braces, e.g. `run.id`. */
  variables: Readonly<Record<string, string>>;
  /**
   * Files written into its working directory beside the program's own, by relative path. The absolute path of each is a
   * variable too, by the name that is given: `{ event: { path: 'event.json', bytes } }` makes `${event}`.
   */
  inputs?: Readonly<Record<string, { path: string; bytes: Buffer }>>;
  /** A file that it is to write, `${output}`, and how large it may be. */
  result?: { path: string; maxBytes: number };
}

/** How a program ended by itself, whatever its exit code. */
export interface ProgramEnd {
  /** Null when a signal ended it. */
  code: number | null;
  ms: number;
  /** What it printed, both streams: cut in the middle, secrets and control characters taken out. */
  output: string;
  /** What it wrote to `${output}`; undefined when it wrote nothing. */
  result?: Buffer;
}

/** Runs what templates name: clean environment, working directory of its own, time limit, no shell. */
export interface Programs {
  /**
   * @throws FactoryError `StepFailed` when it can't be started, takes too long, or writes more than it may; `NotAllowed`
   *   for a variable that this worker does not give; the signal's reason if it fired
   */
  run(task: ProgramTask, context: StepContext): Promise<ProgramEnd>;
}
