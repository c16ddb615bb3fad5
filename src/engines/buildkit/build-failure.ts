import { FactoryError } from '../../common/errors.js';
import { platformWanted } from '../../registry/platform.js';
import type { BuildLog, FailedStep } from './build-log.js';
import {
  engineDiskFull,
  engineUnavailable,
  saysDaemonFault,
  saysDiskFull,
  saysSessionFault,
} from './docker-error.js';
import { type Instruction, instructionOf } from './instructions.js';
import { plainText } from './plain-text.js';
import { HEADER_LINES } from './recipe.js';

/** A step's program is of another machine's kind, and nothing here emulates that. */
export class CannotRun extends Error {
  override readonly name = 'CannotRun';
}

/** What a build was about. */
export interface FailedBuild {
  /** The image, for messages. */
  image: string;
  instructions: readonly Instruction[];
  platform: string;
  /** Of the machine that the engine runs on. */
  native: string;
  log: Pick<BuildLog, 'failed' | 'lastLines'>;
}

/** What BuildKit puts around the reason: where it was (we say it better), and the whole command again. */
const AROUND =
  /^(?:failed to solve(?: with frontend [\w.]+)?: |failed to create LLB definition: |dockerfile parse error (?:on )?line \d+: |executor failed running \[.*\]: |process ".*" did not complete successfully: )+/s;

/**
 * What the end of a build means: a mistake of the template's, a fault of the engine, or a platform that it can't run.
 *
 * @param message the engine's last word
 * @param engine its name, for messages
 */
export function buildFailure(message: string, build: FailedBuild, engine: string): Error {
  const { image, instructions, platform, log } = build;
  const step = log.failed();
  const printed = step?.last ?? log.lastLines().slice(-3);
  const why = (step?.error || message).replace(AROUND, '');
  const instruction = instructionFor(message, step?.name ?? '', instructions);
  if (saysDiskFull([why, ...printed].join('\n'))) return engineDiskFull(engine);
  if (step !== undefined && isOfAnotherMachine(why, step, build))
    return new CannotRun(`the engine can't run programs of ${platform}`);
  if (instruction === undefined && (saysDaemonFault(message) || saysSessionFault(message)))
    return engineUnavailable(engine, message);
  const where =
    instruction === undefined
      ? ''
      : ` at line ${instruction.line} of the template’s dockerfile (${plainText(`${instruction.keyword} ${instruction.rest}`, 200)})`;
  const last = printed.length === 0 ? '' : `; it printed: ${plainText(printed.slice(-3).join(' | '), 400)}`;
  return new FactoryError(
    'BuildFailed',
    `${image} for ${platform}: the template's dockerfile fails${where}: ${plainText(why, 300)}${last}`,
  );
}

const NO_SUCH_MACHINE = /exec format error/i;

/**
 * runc's own line where it can't start a program, on that program's standard error (runc, standard_init_linux.go; the
 * first form is of 1.0 and older). What shells and programs say of what they start themselves begins otherwise.
 */
const NOT_STARTED =
  /^(?:standard_init_linux\.go:\d+: exec user process caused|exec \S+): "?exec format error"?$/;

/**
 * Whether what the instruction itself starts, its shell or its program, is of a machine that the engine has not. A program
 * that this one starts, such as a binary of the wrong kind or a script that names no interpreter, is the template's
 * mistake; so is all of it on a machine of the platform's own kind.
 */
function isOfAnotherMachine(
  why: string,
  { last }: FailedStep,
  { platform, native }: Pick<FailedBuild, 'platform' | 'native'>,
): boolean {
  if (platformWanted(platform, [native])) return false;
  // Nothing ran, so nothing else was printed.
  return NO_SUCH_MACHINE.test(why) || (last.length === 1 && NOT_STARTED.test(last[0] ?? ''));
}

function instructionFor(
  message: string,
  step: string,
  instructions: readonly Instruction[],
): Instruction | undefined {
  const line = /\bline (\d+)\b/.exec(step === '' ? message : '')?.[1];
  if (line === undefined) return instructionOf(step, instructions);
  const at = Number(line) - HEADER_LINES;
  return instructions.findLast((one) => one.line > 0 && one.line <= at);
}
