import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FactoryError, messageOf } from '../common/errors.js';
import { runProgram, TookTooLong } from '../common/process.js';
import type { StepContext } from '../common/step.js';
import type { WorkerEnvironment } from '../config/environment.js';
import { readTemplateFile } from '../config/template-evidence.js';
import { expand } from '../config/variables.js';
import type { Program } from '../contract/run.js';
import type { EvidenceStore } from '../store/evidence.js';
import { diskFull } from '../store/writers.js';
import { lastLine, Output } from './output.js';
import { Place, sweepPlaces } from './place.js';
import type { ProgramEnd, Programs, ProgramTask } from './programs.js';

export interface ProgramSettings {
  /** Where working directories are made; workers of one machine may share it. */
  directory: string;
  environment: Pick<WorkerEnvironment, 'variable' | 'stepVariableFault' | 'ownSecrets'>;
  /** Has the programs' files. */
  evidence: EvidenceStore;
}

/** A program that did not come to its end, with what it had printed until then. */
export class ProgramFailed extends FactoryError {
  constructor(
    message: string,
    readonly output: string,
    cause?: unknown,
  ) {
    super('StepFailed', message, { cause });
  }
}

/** The {@link Programs} of this worker's machine. */
export class WorkerPrograms implements Programs {
  private constructor(private readonly settings: ProgramSettings) {}

  /** Removes what programs of dead workers left. */
  static async open(settings: ProgramSettings): Promise<WorkerPrograms> {
    await sweepPlaces(settings.directory);
    return new WorkerPrograms(settings);
  }

  async run(task: ProgramTask, context: StepContext): Promise<ProgramEnd> {
    const { program } = task;
    const given = this.#given(program);
    const { directory } = this.settings;
    let place: Place | undefined;
    try {
      place = await Place.make(directory);
      return await this.#runIn(place, task, given, context);
    } catch (error) {
      context.signal.throwIfAborted();
      if (error instanceof FactoryError) throw error;
      throw diskFull(error, directory, 'CONTENT_DIR') ?? this.#failure(program, messageOf(error), '', error);
    } finally {
      await place?.remove();
    }
  }

  async #runIn(
    place: Place,
    task: ProgramTask,
    given: Record<string, string>,
    context: StepContext,
  ): Promise<ProgramEnd> {
    const { program, result } = task;
    const variables = await this.#furnish(place, task, context.signal);
    const path = this.#variable('PATH') ?? '';
    const file = await findCommand(program.command, place, path);
    const args = program.args.map((text) => expand(text, variables));
    const env = {
      PATH: path,
      LANG: this.#variable('LANG') ?? 'C.UTF-8',
      HOME: place.home(),
      TMPDIR: place.temporary(),
      ...Object.fromEntries(Object.entries(variables).map(([name, value]) => [variableOf(name), value])),
      ...given,
    };
    const output = new Output([...Object.values(given), ...this.settings.environment.ownSecrets()]);
    const started = Date.now();
    context.progress({ phase: 'program' });
    const { code } = await runProgram(file, args, {
      env,
      cwd: place.work(),
      signal: context.signal,
      timeoutMs: program.timeoutSeconds * 1000,
      endsWithUs: true,
      onOutput: (chunk) => output.write(chunk),
    }).catch((error: unknown) => {
      context.signal.throwIfAborted();
      const why =
        error instanceof TookTooLong
          ? `it took longer than ${program.timeoutSeconds} s and was ended`
          : messageOf(error);
      throw this.#failure(program, why, output.text(), error);
    });
    const end: ProgramEnd = { code, ms: Date.now() - started, output: output.text() };
    if (result === undefined) return end;
    const written = await place.read(result.path, result.maxBytes).catch((error: unknown) => {
      throw this.#failure(program, messageOf(error), end.output, error);
    });
    return written === undefined ? end : { ...end, result: written };
  }

  /** Puts the program's files and inputs into its place. @returns all variables that its arguments may have */
  async #furnish(place: Place, task: ProgramTask, signal: AbortSignal): Promise<Record<string, string>> {
    const { program, variables, inputs = {}, result } = task;
    for (const file of program.files) {
      const bytes = await readTemplateFile(this.settings.evidence, file.evidence, signal);
      await place.put(file.path, bytes, file.executable);
    }
    const all: Record<string, string> = { ...variables };
    for (const [name, input] of Object.entries(inputs)) all[name] = await place.put(input.path, input.bytes);
    if (result !== undefined) all.output = await place.expect(result.path);
    return all;
  }

  /** The worker's variables that the program asks for; one that is not set is left out. */
  #given({ env, command }: Program): Record<string, string> {
    const given: Record<string, string> = {};
    for (const name of env) {
      const fault = this.settings.environment.stepVariableFault(name);
      if (fault !== undefined)
        throw new FactoryError('NotAllowed', `${command} shall have the variable ${name}, which ${fault}`);
      const value = this.#variable(name);
      if (value !== undefined) given[name] = value;
    }
    return given;
  }

  #variable(name: string): string | undefined {
    return this.settings.environment.variable(name)?.reveal();
  }

  #failure({ command }: Program, why: string, output: string, cause: unknown): ProgramFailed {
    const said = lastLine(output);
    return new ProgramFailed(
      `${command}: ${why}${said === '' ? '' : `; it said last: ${said}`}`,
      output,
      cause,
    );
  }
}

/** `run.id` is in `FACTORY_RUN_ID` too, for programs that are none of ours. */
const variableOf = (name: string): string => `FACTORY_${name.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`;

/**
 * The file that a command means. A name is looked for here, not by the shell that holds the program's lifeline, which
 * has commands of its own (`eval`, `exit`).
 *
 * @throws Error when there is none that may be run
 */
async function findCommand(command: string, place: Place, path: string): Promise<string> {
  if (command.startsWith('./')) return place.at(command.slice(2));
  const candidates = command.startsWith('/')
    ? [command]
    : path.split(':').flatMap((folder) => (folder.startsWith('/') ? [join(folder, command)] : []));
  for (const file of candidates) if (await isExecutable(file)) return file;
  throw new Error(
    command.startsWith('/')
      ? 'there is no such program on this worker, or it may not be run'
      : 'there is no program of that name on the PATH of this worker: install it there',
  );
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}
