import { Command, CommanderError } from 'commander';
import { looksLikeKey } from '../config/looks-like-key.js';
import { addDemoCommand } from './demo.js';
import { addDoctorCommand } from './doctor.js';
import { EXIT, type ExitCode, explain } from './exit.js';
import { addPlanCommand } from './plan.js';
import { addRestoreCommand } from './restore.js';
import { addRunCommand } from './run.js';
import { addScheduleCommand } from './schedule.js';
import { addSetupCommand } from './setup.js';
import { addStatusCommand } from './status.js';
import { addSteerCommands } from './steer.js';
import { addTemplateCommands } from './template.js';
import { addWatchCommand } from './watch.js';
import { addWorkerCommand } from './worker.js';

/** The whole command line. @param argv for its error messages, which quote it, but no key in it. */
export function createProgram(argv: readonly string[] = []): Command {
  const keys = argv.filter(looksLikeKey);
  const program = new Command('image-factory')
    .description('Your own verified, scanned and labelled copies of the images that Harness CI runs.')
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(keys.reduce((rest, key) => rest.replaceAll(key, '(a key)'), text)),
    })
    .showHelpAfterError('(add --help for more)');
  for (const add of [
    addRunCommand,
    addPlanCommand,
    addStatusCommand,
    addWatchCommand,
    addSteerCommands,
    addScheduleCommand,
    addSetupCommand,
    addRestoreCommand,
    addWorkerCommand,
    addDoctorCommand,
    addTemplateCommands,
    addDemoCommand,
  ])
    add(program);
  return program;
}

/** Runs one command to its end. @returns the exit code; what there is to say is on the screen. */
export async function main(argv: readonly string[]): Promise<ExitCode> {
  const program = createProgram(argv);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return EXIT.done;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has printed it; help and version are no errors.
      return error.exitCode === 0 ? EXIT.done : EXIT.badInput;
    }
    const { code, message } = explain(error);
    if (message !== '') process.stderr.write(`${message}\n`);
    return code;
  }
}
