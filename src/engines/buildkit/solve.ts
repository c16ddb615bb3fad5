import type { Readable } from 'node:stream';
import { z } from 'zod';
import { buildFailure } from './build-failure.js';
import type { BuildLog } from './build-log.js';
import type { Daemon } from './daemon.js';
import { engineUnavailable } from './docker-error.js';
import type { Instruction } from './instructions.js';
import { messagesOf } from './messages.js';
import { RUN_LABEL } from './names.js';
import { BASE_ARGUMENT, type Recipe, USER_ARGUMENT } from './recipe.js';
import { withSession } from './session.js';
import { readTrace } from './trace.js';

const messageSchema = z.object({
  id: z.string().optional(),
  aux: z.unknown().optional(),
  error: z.string().optional(),
  errorDetail: z.object({ message: z.string().optional() }).optional(),
});

const DOCKERFILE = 'Dockerfile';

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
  /** For all of it, in milliseconds. */
  limitMs: number;
  log: BuildLog;
}

/**
 * Has the engine build one platform; the result stays there under its name. What it tells goes into the log.
 *
 * @throws FactoryError `BuildFailed` naming the instruction that failed, or a fault of the engine
 * @throws CannotRun when the engine can't run programs of that platform; TooLong
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
    const call = { signal, query: { ...query, session }, limitMs: task.limitMs };
    return daemon.client.stream('POST', '/build', call, read);
  });
  signal.throwIfAborted();
  if (failure !== undefined) {
    log.line(`ERROR: ${failure}`);
    throw buildFailure(failure, task, daemon.name);
  }
  if (!done) throw engineUnavailable(daemon.name, 'it ended in the middle of a build');
}
