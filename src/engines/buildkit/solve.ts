import type { Readable } from 'node:stream';
import { z } from 'zod';
import { FactoryError } from '../../common/errors.js';
import type { BuildLog } from './build-log.js';
import type { Daemon } from './daemon.js';
import { TooLong } from './docker-client.js';
import { engineDiskFull, engineUnavailable, saysDaemonFault, saysDiskFull } from './docker-error.js';
import { type Instruction, instructionOf } from './instructions.js';
import { messagesOf } from './messages.js';
import { RUN_LABEL } from './names.js';
import { plainText } from './plain-text.js';
import { BASE_ARGUMENT, HEADER_LINES, type Recipe, USER_ARGUMENT } from './recipe.js';
import { withSession } from './session.js';
import { readTrace } from './trace.js';

const messageSchema = z.object({
  id: z.string().optional(),
  aux: z.unknown().optional(),
  error: z.string().optional(),
  errorDetail: z.object({ message: z.string().optional() }).optional(),
});

const DOCKERFILE = 'Dockerfile';
/** Of one platform: below what an attempt of the activity may take, so that it ends with what was printed. */
const BUILD_MS = 40 * 60_000;

/** A step's program is of another machine's kind, and nothing here emulates that. */
export class CannotRun extends Error {
  override readonly name = 'CannotRun';
}

export interface Solve {
  /** The image, for messages. */
  image: string;
  recipe: Recipe;
  /** Those of the recipe, after those that the base has for whoever builds on it (`ONBUILD`). */
  instructions: readonly Instruction[];
  /** The base's name on the engine, and the result's. */
  base: string;
  result: string;
  /** The source's user; empty for root. */
  user: string;
  platform: string;
  /** Of the machine that the engine runs on. */
  native: string;
  runId: string;
  log: BuildLog;
}

/**
 * Has the engine build one platform; the result stays there under its name. What it tells goes into the log.
 *
 * @throws FactoryError `BuildFailed` naming the instruction that failed, or a fault of the engine
 * @throws CannotRun when the engine can't run programs of that platform
 */
export async function solve(task: Solve, daemon: Daemon, signal: AbortSignal): Promise<void> {
  const { recipe, log } = task;
  const query = {
    version: '2',
    t: task.result,
    dockerfile: DOCKERFILE,
    remote: 'client-session',
    platform: task.platform,
    buildargs: JSON.stringify({
      [USER_ARGUMENT]: task.user || 'root',
      ...recipe.buildArgs,
      [BASE_ARGUMENT]: task.base,
    }),
    labels: JSON.stringify({ [RUN_LABEL]: task.runId }),
    ...(recipe.network === 'default' ? {} : { networkmode: recipe.network }),
  };
  const { dockerfile } = recipe;
  const files = {
    context: recipe.files,
    dockerfile: [{ path: DOCKERFILE, size: dockerfile.length, content: dockerfile }],
  };
  let failure: string | undefined;
  let done = false;
  const read = async (answer: Readable): Promise<void> => {
    for await (const message of messagesOf(answer, messageSchema)) {
      if (message.id === 'moby.image.id') done = true;
      if (message.id === 'moby.buildkit.trace' && typeof message.aux === 'string')
        log.add(readTrace(Buffer.from(message.aux, 'base64')));
      failure ??= message.errorDetail?.message ?? message.error;
    }
  };
  await withSession(daemon.client, files, signal, (session) => {
    const call = { signal, query: { ...query, session }, limitMs: BUILD_MS };
    return daemon.client.stream('POST', '/build', call, read);
  }).catch((error: unknown) => {
    if (!(error instanceof TooLong)) throw error;
    failure = error.message;
  });
  signal.throwIfAborted();
  if (failure !== undefined) {
    log.line(`ERROR: ${failure}`);
    throw failed(failure, task, daemon);
  }
  if (!done) throw engineUnavailable(daemon.name, 'it ended in the middle of a build');
}

const NO_SUCH_MACHINE = /exec format error/i;

/** What BuildKit puts around the reason: where it was (we say it better), and the whole command again. */
const AROUND =
  /^(?:failed to solve(?: with frontend [\w.]+)?: |failed to create LLB definition: |dockerfile parse error (?:on )?line \d+: |executor failed running \[.*\]: |process ".*" did not complete successfully: )+/s;

/** What the end of a build means. */
function failed(
  message: string,
  { image, instructions, platform, native, log }: Solve,
  daemon: Daemon,
): Error {
  const step = log.failed();
  const printed = step?.last ?? log.lastLines().slice(-3);
  const why = (step?.error || message).replace(AROUND, '');
  const instruction = instructionFor(message, step?.name ?? '', instructions);
  if (saysDiskFull([why, ...printed].join('\n'))) return engineDiskFull(daemon.name);
  if (platform !== native && NO_SUCH_MACHINE.test([why, ...printed].join('\n')))
    return new CannotRun(`the engine can't run programs of ${platform}`);
  if (instruction === undefined && saysDaemonFault(message)) return engineUnavailable(daemon.name, message);
  const where =
    instruction === undefined
      ? ''
      : ` at line ${instruction.line} (${plainText(`${instruction.keyword} ${instruction.rest}`, 200)})`;
  const last = printed.length === 0 ? '' : `; it printed: ${plainText(printed.slice(-3).join(' | '), 400)}`;
  return new FactoryError(
    'BuildFailed',
    `${image} for ${platform}: the template's dockerfile fails${where}: ${plainText(why, 300)}${last}`,
  );
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
