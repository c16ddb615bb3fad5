import type { Command } from 'commander';
import { ENVIRONMENT, examine } from '../doctor/examine.js';
import type { CheckResult } from '../doctor/finding.js';
import { CliExit, EXIT, type ExitCode } from './exit.js';
import { type Colour, hanging, processTerminal, type Terminal } from './terminal.js';

const MARKS: Record<CheckResult['status'], { mark: string; colour: Colour }> = {
  ok: { mark: '✓', colour: 'green' },
  warn: { mark: '!', colour: 'yellow' },
  fail: { mark: '✗', colour: 'red' },
};

/** `image-factory doctor`: whether a run would have what it needs, from here. */
export function addDoctorCommand(program: Command): void {
  const command = program
    .command('doctor')
    .description(
      'check all that a run needs, from this machine and with the worker’s environment; changes nothing',
    )
    .option('--registry <host/prefix>', 'target registry (else REGISTRY)')
    .option('--registry-connector <id>', 'Harness connector of the target (else REGISTRY_CONNECTOR)')
    .option('--harness-url <url>', "Harness's address (else HARNESS_URL)")
    .option('--json', 'print an array of {check, status, found, mend}');
  command.action(async ({ json, ...flags }: { json?: boolean } & Record<string, string>) => {
    const results = await examine(flags, process.env);
    const terminal = processTerminal();
    if (json) terminal.json(results);
    else printResults(results, terminal);
    const code = exitCodeOf(results);
    if (code !== EXIT.done) throw new CliExit(code);
  });
}

/** What can't be read is the user's to mend; then comes what can't be reached or used. Warnings stop nobody. */
export function exitCodeOf(results: readonly CheckResult[]): ExitCode {
  const failed = results.filter(({ status }) => status === 'fail');
  if (failed.some(({ check }) => check === ENVIRONMENT)) return EXIT.badInput;
  return failed.length > 0 ? EXIT.unreachable : EXIT.done;
}

/** A line for what was found, and one for how to mend it; on a narrow terminal each goes on below its own beginning. */
export function printResults(results: readonly CheckResult[], terminal: Terminal): void {
  const width = Math.max(...results.map(({ check }) => check.length));
  const say = (start: string, text: string): void => {
    for (const line of hanging(start, text, terminal.columns)) terminal.line(line);
  };
  for (const result of results) {
    const { mark, colour } = MARKS[result.status];
    say(`${terminal.paint(colour, mark)} ${result.check.padEnd(width)}  `, result.found);
    if (result.status !== 'ok') say(`  ${' '.repeat(width)}  → `, result.mend);
  }
  const count = (status: CheckResult['status']): number =>
    results.filter((result) => result.status === status).length;
  terminal.line();
  terminal.line(`${count('ok')} in order, ${count('warn')} to look at, ${count('fail')} to mend`);
}
